#include <gtest/gtest.h>

#include "berth/engine.h"

namespace berth {
namespace {

std::string refused(std::string_view text) {
  const auto attachment = parse_attachment(text);
  return attachment ? "accepted" : attachment.error().message;
}

TEST(ParseAttachment, NamesAndModesStandAlone) {
  for (const char* text :
       {"web", "host", "none", "container:web", "container:a=b", "ns:/run/netns/a:b"})
    EXPECT_EQ(parse_attachment(text).value().network, text);
  EXPECT_EQ(parse_attachment("web").value().options.gw_priority, 0);
}

TEST(ParseAttachment, ReadsPodmansForm) {
  const auto attachment = parse_attachment(
                              "web:ip=10.1.0.7,ip6=fd00::7,mac=02:42:0a:01:00:07,alias=a,alias=b,"
                              "interface_name=lan0,host_interface_name=lanhost,gw-priority=-3,"
                              "link-local-ip=169.254.8.8,driver-opt=k=v")
                              .value();
  EXPECT_EQ(attachment.network, "web");
  const auto& options = attachment.options;
  EXPECT_EQ(options.ip4, Ip::v4(10, 1, 0, 7));
  EXPECT_EQ(options.ip6, Ip::parse("fd00::7").value());
  EXPECT_EQ(options.mac, Mac::parse("02:42:0a:01:00:07").value());
  EXPECT_EQ(options.aliases, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.ifname.str(), "lan0");
  EXPECT_EQ(options.host_ifname.str(), "lanhost");
  EXPECT_EQ(options.gw_priority, -3);
  EXPECT_EQ(options.link_local, std::vector{Cidr::parse("169.254.8.8/16").value()});
  EXPECT_EQ(options.driver_options, (Labels{{"k", "v"}}));
}

TEST(ParseAttachment, ReadsDockersFormWithTheNameAnywhere) {
  const auto attachment =
      parse_attachment("ip6=fd00::7,name=web,mac-address=02:42:0a:01:00:07,gw-priority=5").value();
  EXPECT_EQ(attachment.network, "web");
  EXPECT_EQ(attachment.options.ip6, Ip::parse("fd00::7").value());
  EXPECT_EQ(attachment.options.gw_priority, 5);
}

TEST(ParseAttachment, QuotesKeepCommasAndQuotes) {
  const auto attachment =
      parse_attachment(R"(name=web,"driver-opt=com.docker.network.endpoint.sysctls=a=1,b=2",)"
                       R"("driver-opt=q=say ""x""")")
          .value();
  EXPECT_EQ(attachment.options.driver_options,
            (Labels{{"com.docker.network.endpoint.sysctls", "a=1,b=2"}, {"q", R"(say "x")"}}));
}

TEST(ParseAttachment, RefusesWithTheTextAndWhatIsWrong) {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {{"", "name is missing"},
               {":ip=10.1.0.7", "name is missing before"},
               {"ip=10.1.0.7", "give name=NETWORK"},
               {"web:", "'' is not KEY=VALUE"},
               {"web:ip", "'ip' is not KEY=VALUE"},
               {"web:ip=", "ip has no value"},
               {"web:ip=ten", "ip: 'ten' is not"},
               {"web:ip=fd00::7", "no IPv4 address"},
               {"web:ip6=10.1.0.7", "no IPv6 address"},
               {"web:ip=10.1.0.7,ip=10.1.0.8", "ip is given twice"},
               {"web:name=other", "name is given twice"},
               {"name=a,name=b", "name is given twice"},
               {"web:mac=zz", "mac: "},
               {"web:ifname=averyveryverylong", "ifname: "},
               {"web:gw-priority=1.5", "whole number"},
               {"web:gw-priority=1,gw-priority=2", "given twice"},
               {"web:link-local-ip=10.1.0.7", "no link-local address"},
               {"web:driver-opt=k", "not KEY=VALUE"},
               {"web:colour=red", "there is no 'colour'"},
               {"name=web,\"alias=a", "quote is not closed"}};
  for (const auto& [text, why] : cases) {
    const auto message = refused(text);
    EXPECT_NE(message.find(why), std::string::npos) << text << ": " << message;
    EXPECT_TRUE(message.starts_with("network '" + std::string(text) + "'")) << message;
  }
}

}  // namespace
}  // namespace berth
