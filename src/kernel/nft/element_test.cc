#include "kernel/nft/element.h"

#include <gtest/gtest.h>

namespace berth::nft {
namespace {

using Bytes = std::vector<std::uint8_t>;

IfName ifname(std::string_view text) {
  return IfName::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

const std::vector<Field> kPublished{Protocol::kTcp, Port{12211}};

TEST(Element, IsWrittenAsNftWritesIt) {
  Element element{.set = "publish4",
                  .key = kPublished,
                  .data = {Ip::v4(192, 168, 100, 2), Port{8080}},
                  .comment = "web"};
  EXPECT_EQ(text(element), "tcp . 12211 : 192.168.100.2 . 8080");
  EXPECT_EQ(text_with_comment(element), "tcp . 12211 comment \"web\" : 192.168.100.2 . 8080");
  element = {.set = "pair", .key = {ifname("br0"), ifname("br1")}, .verdict = Verdict::kDrop};
  EXPECT_EQ(text_with_comment(element), "\"br0\" . \"br1\" : drop");
}

TEST(Element, ALoneFieldHasItsNaturalLength) {
  EXPECT_EQ(encode(std::vector<Field>{Port{80}}, Edge::kFirst), (Bytes{0, 80}));
  EXPECT_EQ(encode(std::vector<Field>{ifname("lo")}, Edge::kFirst),
            (Bytes{'l', 'o', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Element, FieldsOfAConcatenationArePadded) {
  EXPECT_EQ(encode(kPublished, Edge::kFirst), (Bytes{6, 0, 0, 0, 0x2f, 0xb3, 0, 0}));
}

TEST(Element, APrefixHasTwoEdges) {
  const std::vector<Field> key{cidr("10.1.0.0/16"), Port{1}};
  EXPECT_TRUE(has_interval(key));
  EXPECT_EQ(encode(key, Edge::kFirst), (Bytes{10, 1, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(encode(key, Edge::kLast), (Bytes{10, 1, 255, 255, 0, 1, 0, 0}));
}

TEST(Element, AnIntervalEndsAfterItsLastAddress) {
  EXPECT_EQ(interval_end(cidr("10.1.0.0/16")), Ip::v4(10, 2, 0, 0));
  EXPECT_EQ(interval_end(cidr("2001:db8::/32")), Ip::parse("2001:db9::").value());
  EXPECT_EQ(interval_end(cidr("255.0.0.0/8")), std::nullopt);
  EXPECT_EQ(interval_end(cidr("::/0")), std::nullopt);
}

TEST(Element, DecodingIsTheInverseOfEncoding) {
  const std::vector<FieldType> types{FieldType::kIpv6, FieldType::kProtocol, FieldType::kPort,
                                     FieldType::kIpv4, FieldType::kIfName};
  const std::vector<Field> fields{Ip::parse("2001:db8::7").value(), Protocol::kSctp, Port{65535},
                                  Ip::v4(10, 0, 0, 1), ifname("br-fifteenbytes")};
  EXPECT_EQ(decode(types, encode(fields, Edge::kFirst)), fields);
}

TEST(Element, DecodingARangeFindsThePrefix) {
  const std::vector<FieldType> types{FieldType::kIpv4, FieldType::kIfName};
  const std::vector<Field> fields{cidr("10.1.0.64/26"), ifname("br0")};
  EXPECT_EQ(decode_range(types, encode(fields, Edge::kFirst), encode(fields, Edge::kLast)), fields);
}

TEST(Element, DecodingRefusesWhatBerthCannotHaveWritten) {
  const std::vector<FieldType> address{FieldType::kIpv4};
  const std::vector<FieldType> interface{FieldType::kIfName};
  EXPECT_EQ(decode(address, Bytes{10, 0, 0}).error().kind, ErrorKind::kCorrupt);
  EXPECT_FALSE(decode(interface, Bytes(16, '/')));
  const auto odd = decode_range(address, Bytes{10, 0, 0, 1}, Bytes{10, 0, 0, 9});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().message, "the nft range 10.0.0.1-10.0.0.9 is not a prefix");
  const std::vector<FieldType> port{FieldType::kPort};
  EXPECT_FALSE(decode_range(port, Bytes{0, 1}, Bytes{0, 2}));
}

}  // namespace
}  // namespace berth::nft
