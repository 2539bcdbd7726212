#include "engine/state/state.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/ids.h"

namespace berth::engine {
namespace {

class StateTest : public ::testing::Test {
 protected:
  StateTest() {
    network_.id = random_id();
    network_.name = "net";
    network_.subnets = {{Cidr::parse("10.1.0.0/29").value(), {}, Ip::v4(10, 1, 0, 1), {}}};
    network_.bridge.device = IfName::parse("br0").value();
    state_.put(network_);
  }
  Result<Ip> allocate() { return state_.allocate(network_, network_.subnets[0]); }
  Endpoint endpoint(const Ip& ip, std::vector<PortMapping> ports = {}) {
    Endpoint made;
    made.id = random_id();
    made.network_id = network_.id;
    made.address4 = Cidr(ip, 29);
    made.mac = Mac::from_ip(ip);
    made.ports = std::move(ports);
    state_.put(made);
    return made;
  }
  Sandbox sandbox(const std::string& name, const std::string& id) {
    Sandbox made;
    made.id = id;
    made.name = name;
    state_.put(made);
    return made;
  }
  std::string owner_of(const PortMapping& wanted) {
    const auto owner = state_.port_owner(std::span(&wanted, 1)).value();
    return owner ? owner->endpoint_id : "";
  }

  std::unique_ptr<store::Store> store_ = store::open_memory();
  Transaction transaction_{*store_};
  State state_{transaction_};
  Network network_;
};

TEST_F(StateTest, ANameComesBeforeAnIdAndAPrefixMustBeUnique) {
  sandbox("web", std::string(63, 'a') + "1");
  sandbox("db", std::string(63, 'a') + "2");
  sandbox("aaa", std::string(64, 'b'));
  EXPECT_EQ(state_.sandbox("web").value().name, "web");
  EXPECT_EQ(state_.sandbox(std::string(63, 'a') + "2").value().name, "db");
  EXPECT_EQ(state_.sandbox("aaa").value().name, "aaa");
  EXPECT_EQ(state_.sandbox("bb").value().name, "aaa");
  const auto ambiguous = state_.sandbox("aa");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(state_.sandbox("").error().kind, ErrorKind::kInvalid);
  for (const char* nothing : {"w", "c", "AA"}) {
    const auto missing = state_.sandbox(nothing);
    ASSERT_FALSE(missing) << nothing;
    EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  }
}

TEST_F(StateTest, InSeriesAnAddressComesBackOnlyAtTheEndOfTheRange) {
  network_.ipam_options = {{"com.docker.network.ipam.serial", "true"}};
  state_.put(network_);
  const auto next = [&] { return endpoint(allocate().value()); };
  const auto first = next();
  ASSERT_TRUE(state_.erase(first));
  for (int last = 3; last <= 6; ++last)
    EXPECT_EQ(next().address4->ip(), Ip::v4(10, 1, 0, static_cast<std::uint8_t>(last)));
  EXPECT_EQ(next().address4, first.address4);
}

TEST_F(StateTest, AddressesAreGivenOutFromTheLowestAndComeBack) {
  std::vector<Endpoint> endpoints;
  for (int last = 2; last <= 6; ++last) {
    const auto ip = allocate();
    ASSERT_TRUE(ip) << ip.error().message;
    EXPECT_EQ(*ip, Ip::v4(10, 1, 0, static_cast<std::uint8_t>(last)));
    endpoints.push_back(endpoint(*ip));
  }
  EXPECT_EQ(allocate().error().kind, ErrorKind::kExhausted);
  ASSERT_TRUE(state_.erase(endpoints[3]));
  ASSERT_TRUE(state_.erase(endpoints[1]));
  EXPECT_EQ(allocate().value(), endpoints[1].address4->ip());
  endpoint(endpoints[1].address4->ip());
  EXPECT_EQ(allocate().value(), endpoints[3].address4->ip());
}

TEST_F(StateTest, AnAddressThatIsTakenIsNotReservedAgain) {
  endpoint(Ip::v4(10, 1, 0, 4));
  EXPECT_EQ(state_.reserve(network_, network_.subnets[0], Ip::v4(10, 1, 0, 4)).error().kind,
            ErrorKind::kInUse);
  EXPECT_TRUE(state_.reserve(network_, network_.subnets[0], Ip::v4(10, 1, 0, 5)));
}

TEST_F(StateTest, APortOnEveryAddressClashesWithThatOfAnyOne) {
  const PortMapping everywhere{Protocol::kTcp, Ip(), 80, 8080};
  const PortMapping local{Protocol::kTcp, Ip::v4(127, 0, 0, 1), 81, 8080};
  const auto owner = endpoint(Ip::v4(10, 1, 0, 2), {everywhere, local});
  EXPECT_EQ(owner_of({Protocol::kTcp, Ip(), 80, 1}), owner.id);
  EXPECT_EQ(owner_of({Protocol::kTcp, Ip::v4(192, 0, 2, 1), 80, 1}), owner.id);
  EXPECT_EQ(owner_of({Protocol::kTcp, Ip(), 81, 1}), owner.id);
  EXPECT_EQ(owner_of({Protocol::kTcp, Ip::v4(127, 0, 0, 1), 81, 1}), owner.id);
  EXPECT_EQ(owner_of({Protocol::kTcp, Ip::v4(192, 0, 2, 1), 81, 1}), "");
  EXPECT_EQ(owner_of({Protocol::kUdp, Ip(), 80, 1}), "");
  EXPECT_EQ(owner_of({Protocol::kTcp, Ip(), 8, 1}), "") << "port 8 is no prefix of port 80";
  const auto everywhere6 = Ip::from_number(Ip::Family::kV6, 0);
  EXPECT_EQ(owner_of({Protocol::kTcp, everywhere6, 80, 1}), "") << "of IPv6";
  EXPECT_EQ(owner_of({Protocol::kTcp, everywhere6, 81, 1}), "") << "of IPv6";
  ASSERT_TRUE(state_.erase(owner));
  EXPECT_EQ(owner_of(everywhere), "");
}

TEST_F(StateTest, OneAddressOfAPortIsFreedAlone) {
  const PortMapping everywhere{Protocol::kTcp, Ip(), 80, 8080};
  const PortMapping everywhere6{Protocol::kTcp, Ip::from_number(Ip::Family::kV6, 0), 80, 8080};
  const auto owner = endpoint(Ip::v4(10, 1, 0, 2), {everywhere, everywhere6});
  const auto other = endpoint(Ip::v4(10, 1, 0, 3), {{Protocol::kTcp, Ip(), 81, 8080}});
  ASSERT_TRUE(state_.free_port(everywhere, other.id)) << "not its own: nothing happens";
  EXPECT_EQ(owner_of(everywhere), owner.id);
  ASSERT_TRUE(state_.free_port(everywhere, owner.id));
  EXPECT_EQ(owner_of(everywhere), "");
  EXPECT_EQ(owner_of(everywhere6), owner.id);
  ASSERT_TRUE(state_.take_port(std::span(&everywhere, 1), other.id));
  EXPECT_EQ(owner_of(everywhere), other.id);
  EXPECT_EQ(owner_of(everywhere6), owner.id) << "each has it in one family";
  ASSERT_TRUE(state_.erase(owner));
  EXPECT_EQ(owner_of(everywhere6), "");
}

TEST_F(StateTest, APortTakenSinceTheLastLookIsSeen) {
  const PortMapping taken{Protocol::kTcp, Ip(), 90, 8080};
  const auto owner = endpoint(Ip::v4(10, 1, 0, 2), {taken});
  const auto is_free = [&](Port port) { return owner_of({Protocol::kTcp, Ip(), port, 1}).empty(); };
  EXPECT_TRUE(is_free(80));
  for (const Port port : {80, 85, 84}) {
    EXPECT_TRUE(is_free(port)) << port;
    const PortMapping mapping{Protocol::kTcp, Ip(), port, 8080};
    ASSERT_TRUE(state_.take_port(std::span(&mapping, 1), owner.id));
    EXPECT_FALSE(is_free(port)) << port;
  }
  for (const Port port : {81, 82, 83, 86, 89, 91, 65535}) EXPECT_TRUE(is_free(port)) << port;
  for (const Port port : {80, 84, 85, 90}) EXPECT_FALSE(is_free(port)) << port;
}

TEST_F(StateTest, TheNumberOfANamespaceBelongsToWhoHasItNow) {
  Sandbox gone = sandbox("gone", random_id());
  gone.netns_inode = 7;
  state_.put(gone);
  Sandbox next = sandbox("next", random_id());
  next.netns_inode = 7;
  state_.put(next);
  state_.erase(gone);
  EXPECT_EQ(state_.sandbox_by_netns(7).value()->name, "next");
  state_.erase(next);
  EXPECT_EQ(state_.sandbox_by_netns(7).value(), std::nullopt);
}

TEST_F(StateTest, NothingOfANetworkOrEndpointStaysBehind) {
  const auto ip = allocate().value();
  const auto made = endpoint(ip, {{Protocol::kTcp, Ip(), 80, 80}});
  state_.put_realised(network_, {1500});
  EXPECT_EQ(state_.endpoints_of_network(network_.id).value().size(), 1U);
  ASSERT_TRUE(state_.erase(made));
  state_.erase(network_);
  for (const auto& [key, value] : transaction_.writes()) EXPECT_FALSE(value) << key;
}

TEST(Names, HaveALetterOrDigitFirstAndNothingOdd) {
  for (const char* good : {"a", "0", "A_b.c-9"}) EXPECT_TRUE(check_name("network", good)) << good;
  EXPECT_TRUE(check_name("network", std::string(128, 'a')));
  EXPECT_FALSE(check_name("network", std::string(129, 'a')));
  for (const char* bad : {"", "-a", ".a", "_a", "a b", "a/b", "a:b", "\xc3\xbc", "a\n"}) {
    const auto refused = check_name("network", bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_TRUE(refused.error().message.starts_with("network name '" + std::string(bad) + "'"));
  }
}

TEST(Ids, AreSixtyFourHexDigitsThatDiffer) {
  const auto id = random_id();
  EXPECT_EQ(id.size(), 64U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(id, random_id());
  EXPECT_EQ(short_id(id), id.substr(0, 12));
}

TEST_F(StateTest, NetworksOfOneGivenBridgeAreOneSegmentUnlessVlansKeepThemApart) {
  const auto add = [&](const std::string& name, const std::string& bridge, std::uint16_t vlan,
                       bool managed = false) {
    Network made;
    made.id = random_id();
    made.name = name;
    made.bridge.device = IfName::parse(bridge).value();
    made.bridge.managed = managed;
    made.bridge.adopted = managed;
    made.bridge.vlan = vlan;
    state_.put(made);
    return made;
  };
  const auto beside = [&](const Network& network) {
    std::vector<std::string> names;
    const auto networks = state_.on_one_segment(network).value();
    for (const auto& each : networks) names.push_back(each.name);
    std::ranges::sort(names.begin() + 1, names.end());  // their order is that of random ids
    return names;
  };
  using Names = std::vector<std::string>;
  const auto ten = add("ten", "br7", 10);
  const auto twenty = add("twenty", "br7", 20);
  const auto all = add("all", "br7", 0, /*managed=*/true);
  add("elsewhere", "br8", 10);
  add("unmanaged", "br0", 0);  // cannot be, beside a bridge that berth made
  EXPECT_EQ(beside(ten), (Names{"ten", "all"}));
  EXPECT_EQ(beside(twenty), (Names{"twenty", "all"}));
  EXPECT_EQ(beside(all), (Names{"all", "ten", "twenty"}));
  EXPECT_EQ(beside(network_), (Names{"net"}));
}

}  // namespace
}  // namespace berth::engine
