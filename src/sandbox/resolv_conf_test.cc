#include "sandbox/resolv_conf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sandbox/files.h"

namespace berth::sandbox {
namespace {

Ip ip(std::string_view text) {
  return Ip::parse(text).value();
}

// The text of the host's file `host` made fit for a sandbox.
std::string fitted(std::string_view host, const DnsOverrides& overrides = {}, bool ipv6 = false) {
  return to_text(for_sandbox(parse_resolv_conf(host), overrides, ipv6));
}

TEST(ResolvConf, KeepsWhatItKnowsAndWhatItDoesNot) {
  EXPECT_EQ(fitted("# comment\n; another\n\n"
                   "domain old.example\n"
                   "nameserver 10.0.0.53\n"
                   "nameserver\tnonsense\n"
                   "nameserver fe80::1%eth0\n"
                   "options ndots:2\n"
                   "search a.example  b.example\n"
                   "options edns0 trust-ad\n"
                   "sortlist 10.0.0.0"),
            "nameserver 10.0.0.53\n"
            "search a.example b.example\n"
            "options ndots:2 edns0 trust-ad\n"
            "sortlist 10.0.0.0\n");
}

TEST(ResolvConf, DropsLoopbackServers) {
  EXPECT_EQ(fitted("nameserver 127.0.0.1\nnameserver ::1\nnameserver 10.0.0.53\n", {}, true),
            "nameserver 10.0.0.53\n");
}

TEST(ResolvConf, DropsIpv6ServersWithoutIpv6) {
  constexpr auto kHost = "nameserver 10.0.0.53\nnameserver fd00::53\n";
  EXPECT_EQ(fitted(kHost), "nameserver 10.0.0.53\n");
  EXPECT_EQ(fitted(kHost, {}, true), kHost);
}

TEST(ResolvConf, FallsBackToDockersServers) {
  EXPECT_EQ(fitted("nameserver 127.0.0.53\n"), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  EXPECT_EQ(fitted("", {}, true),
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
            "nameserver 2001:4860:4860::8888\nnameserver 2001:4860:4860::8844\n");
}

TEST(ResolvConf, OverridesReplaceTheHosts) {
  const DnsOverrides overrides{
      .nameservers = {ip("127.0.0.1")}, .search = {"."}, .options = {"ndots:1"}};
  EXPECT_EQ(fitted("nameserver 10.0.0.53\nsearch a.example\noptions edns0\n", overrides),
            "nameserver 127.0.0.1\noptions ndots:1\n");
}

class HostResolvConf : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(directory_.data()), nullptr); }
  void TearDown() override {
    unlink(main().c_str());
    unlink(behind_stub().c_str());
    rmdir(directory_.c_str());
  }
  std::string main() const { return directory_ + "/resolv.conf"; }
  std::string behind_stub() const { return directory_ + "/upstream.conf"; }

 private:
  std::string directory_ = testing::TempDir() + "berth-resolv-XXXXXX";
};

TEST_F(HostResolvConf, LooksBehindTheStubOnlyWhenThatIsAllThereIs) {
  ASSERT_TRUE(write_in_place(behind_stub(), "nameserver 10.9.9.9\n"));
  ASSERT_TRUE(write_in_place(main(), "nameserver 127.0.0.53\n"));
  EXPECT_EQ(read_host_resolv_conf(main(), behind_stub())->nameservers,
            std::vector<NameServer>{ip("10.9.9.9")});
  ASSERT_TRUE(write_in_place(main(), "nameserver 127.0.0.53\nnameserver 10.0.0.53\n"));
  EXPECT_EQ(read_host_resolv_conf(main(), behind_stub())->nameservers.size(), 2U);
}

TEST_F(HostResolvConf, AMissingFileIsEmpty) {
  const auto conf = read_host_resolv_conf(main(), behind_stub());
  ASSERT_TRUE(conf);
  EXPECT_EQ(to_text(*conf), "");
}

TEST(DnsOverrides, RefuseWhatIsNotOneWordOfTheFile) {
  const auto good = parse_dns_overrides({"9.9.9.9", "fd00::53"}, {"a.org", "."}, {"ndots:2"});
  ASSERT_TRUE(good);
  EXPECT_EQ(good->nameservers.size(), 2U);
  for (const auto* text : {"", "here", "9.9.9.9 1.1.1.1", "fe80::1%eth0"})
    EXPECT_FALSE(parse_dns_overrides({text}, {}, {})) << text;
  for (const auto* text : {"", "a b", "a\nnameserver 1.1.1.1", "a/b"})
    EXPECT_FALSE(parse_dns_overrides({}, {text}, {})) << text;
  for (const auto* text : {"", "rotate debug", "rotate\n"})
    EXPECT_FALSE(parse_dns_overrides({}, {}, {text})) << text;
}

TEST(ForHostNetwork, KeepsServersThatOnlyTheHostCanReach) {
  const std::string servers = "nameserver fe80::1%up0\nnameserver 10.1\nnameserver 10.9.9.1\n";
  const auto host = parse_resolv_conf(servers + "search lan\n");
  const DnsOverrides search{.nameservers = {}, .search = {"corp"}, .options = {}};
  EXPECT_EQ(to_text(for_host_network(host, search)), servers + "search corp\n");
  EXPECT_EQ(to_text(for_sandbox(host, search, true)), "nameserver 10.9.9.1\nsearch corp\n");
  const DnsOverrides given{.nameservers = {ip("9.9.9.9")}, .search = {}, .options = {}};
  EXPECT_EQ(to_text(for_host_network(host, given)), "nameserver 9.9.9.9\nsearch lan\n");
}

TEST(ForHostNetwork, KeepsTheHostsLoopbackServers) {
  const auto host = parse_resolv_conf("nameserver 127.0.0.53\nnameserver fd00::1\nsearch lan\n");
  EXPECT_EQ(to_text(for_host_network(host, {.nameservers = {}, .search = {"corp"}, .options = {}})),
            "nameserver 127.0.0.53\nnameserver fd00::1\nsearch corp\n");
}

}  // namespace
}  // namespace berth::sandbox
