// A network's static routes, and templates.
#include "base/result.h"
#include "engine_fixture.h"

namespace berth::testing {
namespace {

using EngineRoutes = EngineTest;
using EngineTemplates = EngineTest;

Route route(std::string_view text) {
  return must(parse_route(text));
}

TEST_F(EngineRoutes, AreUndoneWhereAConnectFailsAndGoWithADisconnect) {
  Instance instance;
  TargetNs target;
  instance.make_network(1, [](CreateNetwork& request) {
    request.routes = {route("10.8.0.0/16,10.1.0.9"), route("10.9.0.0/16,blackhole"),
                      route("10.10.0.0/16,prohibit,7")};
  });
  const auto before = picture(instance, {&target});
  const auto kernel_before = kernel_state(&target.netns);

  // The last operation fails: what is no part of an interface has to be taken back by itself.
  run("ip route add blackhole 10.10.0.0/16 metric 7", &target.netns);
  const auto refused =
      instance->connect({.network = "net1", .target = target.target(), .options = {}, .ports = {}});
  ASSERT_FALSE(refused);
  run("ip route del 10.10.0.0/16 metric 7", &target.netns);
  expect_same(picture(instance, {&target}), before);

  must(instance->connect(
      {.network = "net1", .target = target.target(), .options = {}, .ports = {}}));
  EXPECT_EQ(json_of("ip -j route show type blackhole", &target.netns).size(), 1U);
  EXPECT_EQ(json_of("ip -j route show type prohibit", &target.netns).size(), 1U);
  expect_agreement(instance);
  must(instance->disconnect({"net1", target.target()}));
  expect_same(kernel_state(&target.netns), kernel_before);
}

TEST_F(EngineRoutes, ToOneDestinationByTwoNetworksAreKeptApartByTheirMetrics) {
  Instance instance;
  TargetNs target;
  const auto blackholes = [](const std::string& metric) {
    return [=](CreateNetwork& request) {
      request.ipv6 = true;
      request.routes = {route("10.9.0.0/16,blackhole" + metric),
                        route("fd09::/64,blackhole" + metric)};
    };
  };
  instance.make_network(1, blackholes(""));
  instance.make_network(2, blackholes(",50"));
  for (const auto* network : {"net1", "net2"})
    must(instance->connect({.network = network, .target = target.target()}));
  run("ip route del blackhole 10.9.0.0/16 metric 0 && "
      "ip -6 route del blackhole fd09::/64 metric 1024",
      &target.netns);
  EXPECT_EQ(must(instance->reconcile()).size(), 1U);
  expect_agreement(instance);
  must(instance->disconnect({"net1", target.target()}));
  for (const auto* family : {"-4", "-6"}) {
    const auto left =
        json_of(fmt::format("ip {} -j route show type blackhole", family), &target.netns);
    ASSERT_EQ(left.size(), 1U) << family;
    EXPECT_EQ(left[0]["metric"], 50) << family;
  }
  expect_agreement(instance);
}

// Sandboxes vpn and user, and net1 with routes by way of vpn, which neither is on.
class EngineRoutesVia : public EngineTest {
 protected:
  EngineRoutesVia() {
    vpn = must(instance->create_sandbox({.name = "vpn"}));
    must(instance->create_sandbox({.name = "user"}));
    make_network("vpn");
  }
  void make_network(const std::string& via) {
    instance.make_network(1, [&](CreateNetwork& request) {
      request.subnets.push_back({.subnet = cidr("fd01::/64")});
      request.routes = {route("10.8.0.0/16,via=" + via), route("fd08::/64,via=" + via + ",7")};
    });
  }
  Endpoint connect(const std::string& name, std::optional<Ip> ip4 = {}) {
    return must(instance->connect({.network = "net1", .target = name, .options = {.ip4 = ip4}}));
  }
  void disconnect(const std::string& name) { must(instance->disconnect({"net1", name})); }
  void remove(const std::string& name) {
    must(instance->remove_sandboxes({{name}, /*force=*/true})[0].status);
  }
  // What the kernel of user's namespace does with what goes there, of both families.
  std::string way(const std::string& name = "user") {
    const auto netns = must(kernel::Netns::open(must(instance->sandbox(name)).netns_path));
    std::string text;
    for (const auto* command : {"ip -4 -j route show 10.8.0.0/16 table main type unicast",
                                "ip -6 -j route show fd08::/64 table main type unicast"})
      for (const auto& each : json_of(command, &netns))
        text += each["gateway"].get<std::string>() + " ";
    for (const auto* command : {"ip -4 -j route show 10.8.0.0/16 table main type unreachable",
                                "ip -6 -j route show fd08::/64 table main type unreachable"})
      if (!json_of(command, &netns).empty()) text += "- ";
    expect_agreement(instance);
    return text;
  }

  Instance instance;
  Sandbox vpn;
};

TEST_F(EngineRoutesVia, GoByItsAddressAndNotInItself) {
  EXPECT_TRUE(connect("vpn").routes.empty());
  connect("user");
  EXPECT_EQ(way(), "10.1.0.2 fd01::2 ");
  EXPECT_EQ(way("vpn"), "");
}

TEST_F(EngineRoutesVia, AreUnreachableUntilItComes) {
  connect("user");
  EXPECT_EQ(way(), "- - ");
  connect("vpn", ip("10.1.0.99"));
  EXPECT_EQ(way(), "10.1.0.99 fd01::3 ");
}

TEST_F(EngineRoutesVia, NeverLeadToWhoHasItsAddressNext) {
  connect("vpn");
  connect("user");
  disconnect("vpn");
  EXPECT_EQ(way(), "- - ");
  must(instance->create_sandbox({.name = "other"}));
  EXPECT_EQ(connect("other").address4->ip(), ip("10.1.0.2"));
  EXPECT_EQ(way(), "- - ");
  connect("vpn", ip("10.1.0.99"));
  EXPECT_EQ(way(), "10.1.0.99 fd01::4 ");
  remove("vpn");
  EXPECT_EQ(way(), "- - ");
  must(instance->create_sandbox({.name = "vpn"}));
  connect("vpn");
  EXPECT_EQ(way(), "10.1.0.4 fd01::4 ");
  disconnect("user");
  EXPECT_EQ(way(), "");
}

TEST_F(EngineRoutesVia, ByAnIdAreOfThatSandboxOnly) {
  must(instance->remove_networks({{"net1"}})[0].status);
  make_network(vpn.id);
  connect("vpn");
  connect("user");
  EXPECT_EQ(way(), "10.1.0.2 fd01::2 ");
  disconnect("vpn");
  EXPECT_EQ(way(), "- - ");
  connect("vpn", ip("10.1.0.99"));
  EXPECT_EQ(way(), "10.1.0.99 fd01::2 ");
  remove("vpn");
  must(instance->create_sandbox({.name = "vpn"}));
  connect("vpn");
  EXPECT_EQ(way(), "- - ");
}

TEST_F(EngineRoutesVia, AChangeThatFailsLeavesThemAsTheyWere) {
  connect("vpn");
  connect("user");
  const auto before = picture(instance);
  auto& faults = instance.impl().faults;
  std::size_t at = 0, failed = 0;
  for (bool done = false; !done; ++at) {
    faults.before_op = [&](std::size_t op) -> Status {
      if (op != at) return {};
      ++failed;
      return fail(ErrorKind::kKernel, "made to fail");
    };
    done = instance->disconnect({"net1", "vpn"}).has_value();
    faults = {};
    if (!done) {
      expect_same(picture(instance), before);
      EXPECT_EQ(way(), "10.1.0.2 fd01::2 ");
    }
  }
  EXPECT_GE(failed, 4U);
  EXPECT_EQ(way(), "- - ");
}

TEST_F(EngineRoutesVia, ReconcileFollowsWhatTheStoreSaysOfIt) {
  connect("vpn");
  auto user = connect("user");
  // As if its record had been lost (see reset) without a word to those who go by it.
  engine::Draft change(*instance.impl().store);
  user = must(change.state.endpoint(user.id));
  for (auto& each : user.routes) {
    const auto netns = must(kernel::Netns::open(must(instance->sandbox("user")).netns_path));
    const bool v4 = each.gateway->is_v4();
    run(fmt::format("ip route replace {} via {}{} dev eth0 proto static", each.destination.str(),
                    v4 ? "10.1.0.77" : "fd01::77", v4 ? "" : " metric 7"),
        &netns);
    each.gateway = v4 ? ip("10.1.0.77") : ip("fd01::77");
  }
  change.state.put(user);
  must(engine::commit(instance.impl(), change));
  for (const auto& repair : must(instance->reconcile())) must(repair.status);
  EXPECT_EQ(way(), "10.1.0.2 fd01::2 ");
}

TEST_F(EngineRoutesVia, WhatSomebodyPutInTheirPlaceDoesNotKeepItFromLeaving) {
  connect("vpn");
  connect("user");
  const auto netns = must(kernel::Netns::open(must(instance->sandbox("user")).netns_path));
  run("ip route replace 10.8.0.0/16 via 10.1.0.1", &netns);
  disconnect("vpn");
  EXPECT_EQ(json_of("ip -j route show 10.8.0.0/16", &netns)[0]["gateway"], "10.1.0.1");
}

TEST_F(EngineRoutesVia, AreUnreachableForWhoHasNoAddressInItsSubnet) {
  connect("user");
  const Connect outside{.network = "net1",
                        .target = "vpn",
                        .options = {.addresses = {cidr("10.99.0.200/24"), cidr("fd01::99/64")}}};
  must(instance->connect(outside));
  EXPECT_EQ(way(), "fd01::99 - ");
  disconnect("user");
  connect("user");
  EXPECT_EQ(way(), "fd01::99 - ");
}

// net1 is an ordinary network, net2 one whose default route is a route of its own.
class EngineDefaultByRoute : public EngineTest {
 protected:
  void make(const std::string& text) {
    for (const int number : {1, 2})
      instance.make_network(number, [&](CreateNetwork& request) {
        request.subnets.push_back({.subnet = cidr(fmt::format("fd0{}::/64", number))});
        if (number == 1) return;
        request.routes = {route(text)};
        request.options["no_default_route"] = "true";
      });
  }
  Result<Endpoint> connect(const std::string& network, int priority = 0) {
    return instance->connect(
        {.network = network, .target = target.target(), .options = {.gw_priority = priority}});
  }
  void disconnect(const std::string& network) {
    must(instance->disconnect({network, target.target()}));
  }
  // The default routes of one family: their gateways, or what kind they are.
  std::string ways(int family = 4) {
    std::string text;
    for (const auto& each :
         json_of(fmt::format("ip -{} -j route show default", family), &target.netns))
      text += (each.contains("gateway") ? each["gateway"] : each["type"]).get<std::string>() + " ";
    expect_agreement(instance);
    return text;
  }

  Instance instance;
  TargetNs target;
};

TEST_F(EngineDefaultByRoute, TheOneOfThePriorityStandsAlone) {
  for (const std::string way : {"0.0.0.0/0,10.2.0.9", "0.0.0.0/0,blackhole"}) {
    make(way);
    const std::string own = way.substr(10) + " ";
    must(connect("net1"));
    must(connect("net2", 1));
    EXPECT_EQ(ways(), own);
    EXPECT_EQ(ways(6), "fd01::1 ");
    disconnect("net2");
    EXPECT_EQ(ways(), "10.1.0.1 ");
    disconnect("net1");

    must(connect("net2", 1));
    must(connect("net1"));
    EXPECT_EQ(ways(), own);
    disconnect("net2");
    EXPECT_EQ(ways(), "10.1.0.1 ");
    must(instance->disconnect({"net1", target.target()}));
    for (const auto& gone : instance->remove_networks({{"net1", "net2"}})) must(gone.status);
  }
}

TEST_F(EngineDefaultByRoute, OfIPv6HasTheMetricThatTheKernelGivesIt) {
  make("::/0,blackhole,1024");
  must(connect("net1"));
  expect_refused(connect("net2"), ErrorKind::kExists, {"net2", "::/0", "net1"});
  must(connect("net2", 1));
  EXPECT_EQ(ways(6), "blackhole ");
  EXPECT_EQ(ways(), "10.1.0.1 ");
  disconnect("net2");
  EXPECT_EQ(ways(6), "fd01::1 ");
}

TEST_F(EngineDefaultByRoute, IsRefusedWhereTheOtherIsFirst) {
  make("0.0.0.0/0,10.2.0.9");
  must(connect("net1"));
  const auto before = picture(instance, {&target});
  expect_refused(connect("net2"), ErrorKind::kExists,
                 {"net2", "0.0.0.0/0", "net1", "metric", "gw-priority"});
  expect_same(picture(instance, {&target}), before);
  disconnect("net1");
  must(connect("net2"));
  expect_refused(connect("net1"), ErrorKind::kExists,
                 {"net1", "net2", "0.0.0.0/0", "metric", "gw-priority"});
  EXPECT_EQ(ways(), "10.2.0.9 ");
}

TEST_F(EngineDefaultByRoute, OfAnotherMetricIsNobodyElses) {
  make("0.0.0.0/0,blackhole,300");
  instance.make_network(3);
  must(connect("net2"));
  must(connect("net1"));  // a foreign namespace's own default route would keep this one from it
  EXPECT_EQ(ways(), "10.1.0.1 blackhole ");
  must(connect("net3"));
  disconnect("net1");
  EXPECT_EQ(ways(), "10.3.0.1 blackhole ");
}

TEST_F(EngineRoutes, AreRefusedWithWhatIsWrong) {
  Instance instance;
  const auto refused = [&](std::vector<Route> routes) {
    CreateNetwork request{.name = "net", .subnets = {}, .labels = {}, .options = {}};
    request.subnets.push_back(
        {.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}});
    request.routes = std::move(routes);
    return instance->create_network(request);
  };
  expect_refused(refused({route("10.8.0.0/16,10.9.0.1")}), ErrorKind::kInvalid,
                 {"10.9.0.1", "10.7.0.0/24"});
  expect_refused(refused({route("10.8.0.0/16,10.7.0.255")}), ErrorKind::kInvalid, {"broadcast"});
  expect_refused(refused({route("127.0.0.0/8,10.7.0.9")}), ErrorKind::kInvalid, {"127.0.0.0/8"});
  expect_refused(refused({route("fd08::/32,blackhole")}), ErrorKind::kInvalid, {"no IPv6"});
  expect_refused(refused({route("10.7.0.0/24,10.7.0.9")}), ErrorKind::kInvalid, {"own subnet"});
  expect_refused(refused({route("0.0.0.0/0,10.7.0.9")}), ErrorKind::kInvalid, {"no_default_route"});
  expect_refused(refused({route("10.8.0.0/16,10.7.0.9"), route("10.8.0.0/16,blackhole")}),
                 ErrorKind::kInvalid, {"10.8.0.0/16", "another metric"});
}

TEST_F(EngineTemplates, AreStoredAloneAndNeverReachTheKernel) {
  Instance instance;
  const auto before = kernel_state();
  CreateNetwork request{.name = "tmpl", .subnets = {}, .labels = {{"a", "b"}}, .options = {}};
  request.config_only = true;
  request.subnets.push_back({.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}});
  must(instance->create_network(request));
  EXPECT_TRUE(must(instance->reconcile()).empty());
  expect_same(kernel_state(), before);
  EXPECT_FALSE(must(instance->network("tmpl")).subnets[0].gateway);
  TargetNs target;
  expect_refused(
      instance->connect({.network = "tmpl", .target = target.target(), .options = {}, .ports = {}}),
      ErrorKind::kInvalid, {"tmpl", "template"});

  const auto made = must(instance->create_network(
      {.name = "real", .subnets = {}, .config_from = "tmpl", .labels = {}, .options = {}}));
  EXPECT_EQ(made.subnets[0].gateway, ip("10.7.0.1"));
  EXPECT_EQ(made.labels, (Labels{{"a", "b"}}));
  EXPECT_EQ(made.config_from, "tmpl");
  const auto outcomes = instance->remove_networks({{"tmpl", "real", "tmpl"}, /*force=*/true});
  ASSERT_FALSE(outcomes[0].status);
  expect_refused(outcomes[0].status.error(), ErrorKind::kInUse, {"tmpl", "real"});
  EXPECT_TRUE(outcomes[1].status);
  EXPECT_TRUE(outcomes[2].status);
  expect_same(kernel_state(), before);
}

TEST_F(EngineTemplates, RefuseWhatIsTheOtherSidesToSay) {
  Instance instance;
  CreateNetwork tmpl{.name = "tmpl", .subnets = {}, .labels = {}, .options = {}};
  tmpl.config_only = true;
  auto internal = tmpl;
  internal.internal = true;
  expect_refused(instance->create_network(internal), ErrorKind::kInvalid,
                 {"template", "--internal"});
  auto of_other = tmpl;
  of_other.config_from = "bridge";
  expect_refused(instance->create_network(of_other), ErrorKind::kInvalid, {"another"});
  must(instance->create_network(tmpl));

  const CreateNetwork plain{
      .name = "real", .subnets = {}, .config_from = "tmpl", .labels = {}, .options = {}};
  auto labelled = plain;
  labelled.labels = {{"a", "b"}};
  expect_refused(instance->create_network(labelled), ErrorKind::kInvalid, {"--label", "tmpl"});
  auto tuned = plain;
  tuned.options = {{"mtu", "1400"}};
  expect_refused(instance->create_network(tuned), ErrorKind::kInvalid, {"--opt", "tmpl"});
  auto v6 = plain;
  v6.ipv6 = true;
  expect_refused(instance->create_network(v6), ErrorKind::kInvalid, {"--ipv6", "tmpl"});
  auto missing = plain;
  missing.config_from = "nosuch";
  expect_refused(instance->create_network(missing), ErrorKind::kNotFound, {"nosuch"});
  auto no_template = plain;
  no_template.config_from = "bridge";
  expect_refused(instance->create_network(no_template), ErrorKind::kInvalid, {"bridge"});
}

}  // namespace
}  // namespace berth::testing
