#include "frontends/cli/run_options.h"

#include <algorithm>
#include <cstdlib>

#include "frontends/cli/parser_for_test.h"

namespace berth::cli {
namespace {

using Words = std::vector<std::string>;
using ParsedRun = Parsed<RunOptions, true>;

RunProcess requested(const Words& words) {
  const ParsedRun parsed(words);
  EXPECT_EQ(parsed.usage_error, "");
  auto request = to_request(parsed.options, parsed.command);
  EXPECT_TRUE(request) << request.error().message;
  return request ? *request : RunProcess();
}

std::string refused(const Words& words) {
  const ParsedRun parsed(words);
  EXPECT_EQ(parsed.usage_error, "");
  const auto request = to_request(parsed.options, parsed.command);
  return request ? "accepted" : request.error().message;
}

TEST(RunOptions, ReadsTheSampleOfDockersDocumentation) {
  const auto request = requested({"-dt", "--rm", "--network=mybridge0", "--publish", "12211:8080",
                                  "--name", "br0_container", "ubuntu"});
  EXPECT_TRUE(request.detach);
  EXPECT_TRUE(request.tty);
  EXPECT_TRUE(request.auto_remove);
  EXPECT_FALSE(request.open_stdin);
  EXPECT_EQ(request.networks.at(0).network, "mybridge0");
  EXPECT_EQ(request.name, "br0_container");
  ASSERT_EQ(request.ports.size(), 1U);
  EXPECT_EQ(request.ports[0].host_first, 12211);
  EXPECT_EQ(request.ports[0].container_first, 8080);
  EXPECT_EQ(request.argv, Words{"ubuntu"});
}

TEST(RunOptions, DefaultsToTheBridgeNetworkInTheForeground) {
  const auto request = requested({"true"});
  EXPECT_EQ(request.networks.at(0).network, "bridge");
  EXPECT_FALSE(request.detach || request.tty || request.open_stdin || request.auto_remove);
  EXPECT_FALSE(request.networks[0].options.ip4 || request.networks[0].options.mac);
}

TEST(RunOptions, OptionsAfterTheCommandAreTheCommands) {
  EXPECT_EQ(requested({"-i", "sh", "-c", "echo --rm", "--rm"}).argv,
            (Words{"sh", "-c", "echo --rm", "--rm"}));
  EXPECT_EQ(requested({"--rm", "--", "-weird", "--name", "x"}).argv,
            (Words{"-weird", "--name", "x"}));
  EXPECT_EQ(requested({"sh", "--", "-c"}).argv, (Words{"sh", "--", "-c"}));
  EXPECT_FALSE(requested({"sh", "--rm"}).auto_remove);
}

TEST(RunOptions, ListsTakeOneMoreValueEachTime) {
  EXPECT_EQ(requested({"-d=true", "-dp=81:80", "true"}).ports[0].host_first, 81);
  const auto request = requested({"-p8080:80", "-p", "53:53/udp", "--add-host", "db:10.0.0.1",
                                  "--add-host=gw:host-gateway", "--network-alias", "a",
                                  "--network-alias", "b", "-l", "k=v", "--label", "flag", "cmd"});
  EXPECT_EQ(request.ports.size(), 2U);
  EXPECT_EQ(request.ports[1].protocol, Protocol::kUdp);
  EXPECT_EQ(request.add_hosts, (Words{"db:10.0.0.1", "gw:host-gateway"}));
  EXPECT_EQ(request.networks[0].options.aliases, (Words{"a", "b"}));
  EXPECT_EQ(request.labels, (Labels{{"k", "v"}, {"flag", ""}}));
  EXPECT_EQ(request.argv, Words{"cmd"});
}

TEST(RunOptions, PublishAllPublishesWhatIsExposedAndNotPublishedYet) {
  const Words exposing{"--expose", "80-81", "--expose=53/udp", "-p", "8080:80", "cmd"};
  EXPECT_EQ(requested(exposing).ports.size(), 1U);
  auto all = exposing;
  all.insert(all.begin(), "-P");
  const auto ports = requested(all).ports;
  ASSERT_EQ(ports.size(), 3U);
  EXPECT_EQ(ports[0].host_first, 8080);
  EXPECT_EQ(ports[1].container_first, 81);
  EXPECT_EQ(ports[2].protocol, Protocol::kUdp);
  for (const auto& each : {ports[1], ports[2]}) EXPECT_EQ(each.host_first, 0);
  EXPECT_EQ(refused({"--expose", "8080:80", "cmd"}).substr(0, 17), "--expose 8080:80:");
}

TEST(RunOptions, TheLastOfTwoValuesHolds) {
  EXPECT_EQ(requested({"--name", "a", "--name", "b", "cmd"}).name, "b");
  EXPECT_EQ(requested({"--name=", "cmd"}).name, "");
}

TEST(RunOptions, HIsTheHostname) {
  const auto request = requested({"-h", "box", "cmd"});
  EXPECT_EQ(request.hostname, "box");
}

TEST(RunOptions, NamesOfOthersAndNameServers) {
  const auto request = requested({"--domainname", "example.org", "--link", "db", "--link=web:www",
                                  "--dns", "9.9.9.9", "--dns-search", "lan", "--dns-opt", "ndots:2",
                                  "--dns-option", "rotate", "cmd"});
  EXPECT_EQ(request.domainname, "example.org");
  EXPECT_EQ(request.networks[0].options.links, (Words{"db", "web:www"}));
  EXPECT_EQ(request.dns, Words{"9.9.9.9"});
  EXPECT_EQ(request.dns_search, Words{"lan"});
  EXPECT_EQ(request.dns_options, (Words{"ndots:2", "rotate"}));
}

TEST(RunOptions, AddressesAreParsed) {
  const auto request = requested({"--ip", "10.0.0.7", "--mac-address", "02:42:0a:00:00:07", "cmd"});
  EXPECT_EQ(request.networks[0].options.ip4, Ip::v4(10, 0, 0, 7));
  EXPECT_EQ(request.networks[0].options.mac->str(), "02:42:0a:00:00:07");
}

TEST(RunOptions, NetworksKeepTheirOrderAndTheFirstTakesTheFlags) {
  const auto request =
      requested({"--network", "web:ip6=fd00::7,ifname=web0", "--network", "name=back,alias=db",
                 "--ip", "10.0.0.7", "--link-local-ip", "169.254.1.1", "cmd"});
  ASSERT_EQ(request.networks.size(), 2U);
  EXPECT_EQ(request.networks[0].network, "web");
  EXPECT_EQ(request.networks[0].options.ip4, Ip::v4(10, 0, 0, 7));
  EXPECT_EQ(request.networks[0].options.ip6, *Ip::parse("fd00::7"));
  EXPECT_EQ(request.networks[0].options.link_local, std::vector{*Cidr::parse("169.254.1.1/16")});
  EXPECT_EQ(request.networks[1].network, "back");
  EXPECT_EQ(request.networks[1].options.aliases, Words{"db"});
  EXPECT_FALSE(request.networks[1].options.ip4);
}

TEST(RunOptions, WhatIsGivenInBothPlacesConflicts) {
  const struct {
    Words flags;
    const char* text;
  } cases[] = {{{"--ip", "10.0.0.8"}, "web:ip=10.0.0.7"},
               {{"--ip6", "fd00::8"}, "web:ip6=fd00::7"},
               {{"--mac-address", "02:42:0a:00:00:08"}, "web:mac=02:42:0a:00:00:07"},
               {{"--network-alias", "a"}, "web:alias=b"},
               {{"--link-local-ip", "169.254.1.1"}, "web:link-local-ip=169.254.1.2"}};
  for (const auto& [flags, text] : cases) {
    Words words = flags;
    words.insert(words.end(), {"--network", text, "cmd"});
    EXPECT_TRUE(refused(words).starts_with("conflicting options: " + flags[0])) << refused(words);
    words.insert(words.begin(), {"--network", "first"});
    EXPECT_EQ(refused(words), "accepted");  // the flag is the first network's
  }
}

TEST(RunOptions, EnvironmentIsDockersPlusWhatIsGiven) {
  ::setenv("BERTH_TEST_TAKEN", "here", 1);
  ::unsetenv("BERTH_TEST_MISSING");
  const auto env = requested({"-t", "-e", "A=1", "-e", "A=2", "-e", "BERTH_TEST_TAKEN", "-e",
                              "BERTH_TEST_MISSING", "-e", "HOME=/", "cmd"})
                       .env;
  EXPECT_EQ(env, (Words{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                        "TERM=xterm", "A=2", "BERTH_TEST_TAKEN=here", "HOME=/"}));
}

TEST(RunOptions, VolumesArePathsWithAModeAtMost) {
  const auto mounts =
      requested({"-v", "/a:/b", "-v/c:/d:ro", "--volume=/e:/f:rw", "cmd"}).confinement.mounts;
  EXPECT_EQ(mounts,
            (std::vector<BindMount>{{"/a", "/b", false}, {"/c", "/d", true}, {"/e", "/f", false}}));
  for (const auto* text : {"/a", "name:/b", "/a:/b:rx", "/a:/b:ro:x"})
    EXPECT_TRUE(refused({"-v", text, "cmd"}).starts_with(std::string("-v ") + text)) << text;
}

TEST(RunOptions, WhatTheProcessMayDo) {
  const auto given =
      requested({"-u", "nobody", "--cap-add=NET_ADMIN", "--cap-drop", "ALL", "--init",
                 "--read-only", "--privileged", "--security-opt", "no-new-privileges", "--sysctl",
                 "net.ipv4.ip_forward=1", "--entrypoint", "sh", "cmd"});
  EXPECT_EQ(given.confinement, (Confinement{.user = "nobody",
                                            .cap_add = {"NET_ADMIN"},
                                            .cap_drop = {"ALL"},
                                            .privileged = true,
                                            .no_new_privileges = true,
                                            .read_only = true,
                                            .init = true,
                                            .mounts = {},
                                            .sysctls = {{"net.ipv4.ip_forward", "1"}}}));
  EXPECT_EQ(given.entrypoint, "sh");
  EXPECT_EQ(requested({"cmd"}).confinement, Confinement());
}

TEST(RunOptions, RefusesBadValuesByName) {
  EXPECT_TRUE(refused({"--ip", "nine", "cmd"}).starts_with("--ip: 'nine' is not an IP address"));
  EXPECT_TRUE(refused({"--mac-address", "x", "cmd"}).starts_with("--mac-address: "));
  EXPECT_NE(refused({"-p", "99999:80", "cmd"}), "accepted");
  EXPECT_EQ(refused({"-e", "=x", "cmd"}), "--env '=x': the name is missing; give KEY=VALUE or KEY");
  EXPECT_EQ(refused({"-l", "=x", "cmd"}), "--label '=x': the key is missing; give KEY=VALUE");
}

TEST(RunOptions, UsageErrorsNameTheWord) {
  EXPECT_EQ(ParsedRun({"--nme", "x", "cmd"}).usage_error,
            "unknown flag --nme (did you mean '--name'?)");
  EXPECT_EQ(ParsedRun({"-d"}).usage_error, "COMMAND [ARG...] is missing");
  EXPECT_EQ(ParsedRun({"--name"}).usage_error, "--name needs a value");
  EXPECT_EQ(ParsedRun({"-dz", "cmd"}).usage_error, "unknown flag -z");
}

}  // namespace
}  // namespace berth::cli
