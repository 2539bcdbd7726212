#include "sandbox/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace berth::sandbox {
namespace {

Ip ip(std::string_view text) {
  return Ip::parse(text).value();
}

TEST(HostsText, HasDockersForm) {
  const HostsFile hosts{.hostname = "web",
                        .extra = {{"db", ip("10.0.0.9")}, {"db6", ip("fd00::9")}},
                        .addresses = {ip("172.17.0.2"), ip("fd00::2")}};
  EXPECT_EQ(hosts_text(hosts),
            "127.0.0.1\tlocalhost\n"
            "::1\tlocalhost ip6-localhost ip6-loopback\n"
            "fe00::\tip6-localnet\n"
            "ff00::\tip6-mcastprefix\n"
            "ff02::1\tip6-allnodes\n"
            "ff02::2\tip6-allrouters\n"
            "10.0.0.9\tdb\n"
            "fd00::9\tdb6\n"
            "172.17.0.2\tweb\n"
            "fd00::2\tweb\n");
}

TEST(HostsText, WithoutIpv6HasNoIpv6Line) {
  const HostsFile hosts{.hostname = "web",
                        .extra = {{"db6", ip("fd00::9")}},
                        .addresses = {ip("172.17.0.2"), ip("fd00::2")},
                        .ipv6 = false};
  EXPECT_EQ(hosts_text(hosts), "127.0.0.1\tlocalhost\n172.17.0.2\tweb\n");
}

TEST(HostsText, AHostNameWithADomainStandsWithItsFirstLabel) {
  const auto last_line = [](const HostsFile& hosts) {
    const auto text = hosts_text(hosts);
    return text.substr(text.rfind('\n', text.size() - 2) + 1);
  };
  HostsFile hosts{.hostname = "web", .extra = {}, .addresses = {ip("172.17.0.2")}};
  hosts.domainname = "example.org";
  EXPECT_EQ(last_line(hosts), "172.17.0.2\tweb.example.org web\n");
  hosts.domainname = "";
  hosts.hostname = "db.example.org";
  EXPECT_EQ(last_line(hosts), "172.17.0.2\tdb.example.org db\n");
}

TEST(AddHost, TakesBothSeparatorsAndBothFamilies) {
  EXPECT_EQ(parse_add_host("db:10.0.0.9")->ip, ip("10.0.0.9"));
  EXPECT_EQ(parse_add_host("db=10.0.0.9")->name, "db");
  EXPECT_EQ(parse_add_host("db:fd00::9")->ip, ip("fd00::9"));
  EXPECT_EQ(parse_add_host("db:[fd00::9]")->ip, ip("fd00::9"));
}

TEST(AddHost, RefusesWhatIsNoEntry) {
  for (const auto* text : {"db", ":10.0.0.9", "db:", "db:10.0.0", "d b:10.0.0.9", "d#b:10.0.0.9",
                           "db:host", "d\nb:10.0.0.9"}) {
    const auto host = parse_add_host(text);
    ASSERT_FALSE(host) << text;
    EXPECT_EQ(host.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(host.error().message.find(text), std::string::npos) << host.error().message;
  }
}

TEST(AddHost, HostGatewayIsTheGateway) {
  const auto host = parse_add_host("me:host-gateway");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->ip, std::nullopt);
  const std::vector gateways = {ip("172.17.0.1"), ip("fd00::1")};
  EXPECT_EQ(to_text(*host), "me:host-gateway");
  EXPECT_EQ(hosts_lines(resolve(*host, gateways)), "172.17.0.1\tme\nfd00::1\tme\n");
  EXPECT_TRUE(resolve(*host, {}).empty());
}

TEST(WriteInPlace, KeepsTheInodeAndSetsTheMode) {
  std::string path = testing::TempDir() + "berth-files-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);  // mode 0600
  ASSERT_GE(fd, 0);
  struct stat before{};
  fstat(fd, &before);
  close(fd);
  ASSERT_TRUE(write_in_place(path, "a longer first text\n"));
  ASSERT_TRUE(write_in_place(path, "second\n"));
  struct stat after{};
  stat(path.c_str(), &after);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode & 07777, 0644U);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "second\n");
  unlink(path.c_str());
}

}  // namespace
}  // namespace berth::sandbox
