#include "kernel/netlink/message.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace berth::kernel {
namespace {

std::vector<std::uint8_t> copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// What a reader sees of a message that was built.
MessageView view(Bytes bytes) {
  auto rest = bytes;
  const auto message = MessageView::take(rest);
  EXPECT_TRUE(message.has_value());
  return message.value_or(MessageView{});
}

TEST(Message, ReadsBackWhatWasPut) {
  Message message(RTM_NEWLINK, NLM_F_CREATE, ifinfomsg{.ifi_index = 7});
  message.put_u8(1, 0x12);
  message.put_be16(2, 0x1234);
  message.put_u32(3, 0x12345678);
  message.put_string(4, "veth0");
  message.put_ip(5, Ip::v4(192, 168, 100, 2));
  message.put_mac(6, Mac({2, 0x42, 192, 168, 100, 2}));
  const auto sealed = message.seal(99, NLM_F_ACK);

  const auto read = view(sealed);
  EXPECT_EQ(read.type(), RTM_NEWLINK);
  EXPECT_EQ(read.flags(), NLM_F_CREATE | NLM_F_ACK);
  EXPECT_EQ(read.sequence(), 99U);
  EXPECT_EQ(read.header<ifinfomsg>()->ifi_index, 7);
  const auto attributes = read.attributes(sizeof(ifinfomsg));
  EXPECT_EQ(attributes.find(1)->u8(), 0x12);
  EXPECT_EQ(attributes.find(2)->be16(), 0x1234);
  EXPECT_EQ(copy(attributes.find(2)->payload), (std::vector<std::uint8_t>{0x12, 0x34}));
  EXPECT_EQ(attributes.find(3)->u32(), 0x12345678U);
  EXPECT_EQ(attributes.find(4)->str(), "veth0");
  EXPECT_EQ(attributes.find(4)->payload.size(), 6U) << "the NUL belongs to the string";
  EXPECT_EQ(attributes.find(5)->ip()->str(), "192.168.100.2");
  EXPECT_EQ(attributes.find(6)->mac()->str(), "02:42:c0:a8:64:02");
  EXPECT_FALSE(attributes.find(7));
}

TEST(Message, NestsFollowTheBlocks) {
  Message message(RTM_NEWLINK, 0, ifinfomsg{});
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "veth");
    {
      const auto data = message.nest(IFLA_INFO_DATA);
      message.put_u8(1, 5);
    }
  }
  message.put_u32(IFLA_MTU, 1400);

  const auto outer = view(message.seal(1, 0)).attributes(sizeof(ifinfomsg));
  const auto info = outer.find(IFLA_LINKINFO)->nested();
  EXPECT_EQ(info.find(IFLA_INFO_KIND)->str(), "veth");
  EXPECT_EQ(info.find(IFLA_INFO_DATA)->nested().find(1)->u8(), 5);
  EXPECT_FALSE(info.find(IFLA_MTU)) << "put after the nest was closed";
  EXPECT_EQ(outer.find(IFLA_MTU)->u32(), 1400U);
}

TEST(Message, RefusesWhatAnAttributeLengthCannotSay) {
  Message message(RTM_NEWLINK, 0, ifinfomsg{});
  message.put_string(IFLA_IFALIAS, std::string(65530, 'x'));
  EXPECT_FALSE(message.oversized());
  {
    const auto nest = message.nest(IFLA_LINKINFO);
    message.put_string(1, std::string(65530, 'x'));
  }
  EXPECT_TRUE(message.oversized());
}

TEST(MessageView, EndsAtTheFirstCutMessage) {
  Message message(RTM_NEWLINK, 0, ifinfomsg{});
  auto bytes = copy(message.seal(1, 0));
  const auto whole = bytes.size();
  bytes.insert(bytes.end(), bytes.begin(), bytes.end() - 1);  // a second one, one byte short

  Bytes rest = bytes;
  EXPECT_TRUE(MessageView::take(rest));
  EXPECT_EQ(rest.size(), whole - 1);
  EXPECT_FALSE(MessageView::take(rest));
  EXPECT_TRUE(rest.empty());
}

TEST(MessageView, RefusesALengthBelowItsOwnHeader) {
  const nlmsghdr header{.nlmsg_len = sizeof(nlmsghdr) - 1};
  Bytes rest = bytes_of(header);
  EXPECT_FALSE(MessageView::take(rest));
}

TEST(MessageView, HasNoFamilyHeaderWhereThePayloadIsShort) {
  const nlmsghdr header{.nlmsg_len = sizeof(nlmsghdr)};
  Bytes rest = bytes_of(header);
  const auto message = MessageView::take(rest);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->header<ifinfomsg>());
  EXPECT_FALSE(message->attributes(sizeof(ifinfomsg)).find(IFLA_MTU));
}

TEST(Attributes, EndAtALengthThatIsTooLongOrTooShort) {
  struct {
    nlattr good{5, 1};
    std::uint8_t value[4]{42};
    nlattr bad{};
  } bytes;
  for (const std::uint16_t length : {0, 3, 5, 65535}) {
    bytes.bad = {length, 2};
    const Attributes attributes(bytes_of(bytes));
    EXPECT_EQ(attributes.find(1)->u8(), 42);
    EXPECT_FALSE(attributes.find(2)) << length;
  }
}

TEST(Attribute, ShortPayloadsReadAsAbsent) {
  const std::uint8_t byte = 'x';
  const Attribute attribute{1, bytes_of(byte)};
  EXPECT_EQ(attribute.u8(), 'x');
  EXPECT_FALSE(attribute.be16());
  EXPECT_FALSE(attribute.u32());
  EXPECT_FALSE(attribute.ip());
  EXPECT_FALSE(attribute.mac());
  EXPECT_EQ(attribute.str(), "x") << "no NUL: the end of the payload ends it";
}

}  // namespace
}  // namespace berth::kernel
