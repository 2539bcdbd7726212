// What should be true after random requests: networks, sandboxes and their connections as plain
// values, and the rules by which a request is allowed. Knows neither engine nor kernel; what it
// says is compared with both (engine_random_facts.h).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "berth/engine.h"

namespace berth::testing::random {

using Family = Ip::Family;
inline constexpr std::array kBothFamilies = {Family::kV4, Family::kV6};

/// The n-th address of a subnet: 1 is its gateway.
[[nodiscard]] Ip nth(const Cidr& subnet, unsigned n);

/// A network that may be asked for. There is one at most of each, and its name says which it is.
struct Kind {
  std::string name;
  Driver driver = Driver::kBridge;
  std::string device;  ///< the bridge, or the parent
  std::vector<Cidr> subnets;
  bool internal = false;
  bool routed = false;       ///< gateway mode of both families
  bool given = false;        ///< the bridge is the administrator's
  bool managed = true;       ///< not left alone by the firewall
  bool host_access = false;  ///< the host has the subnets' second addresses
  std::string mode;          ///< of macvlan
  std::uint32_t metric = 0;
  std::vector<Route> routes;
  bool possible = true;  ///< false: this kernel has no such devices

  [[nodiscard]] std::optional<Cidr> subnet(Family family) const;
  /// Has it elements in berth's table?
  [[nodiscard]] bool in_table() const { return driver == Driver::kBridge && managed; }
  /// Is it a way out in that family?
  [[nodiscard]] bool leads_out(Family family) const { return !internal && subnet(family); }
};
[[nodiscard]] const std::vector<Kind>& kinds();
[[nodiscard]] const Kind& kind(const std::string& name);

/// A sandbox on a network.
struct Connection {
  std::string network;
  std::string ifname;
  std::optional<Ip> ip4, ip6;
  int priority = 0;
  std::string link;                  ///< the box that it links to as "linked"; empty: none
  std::set<PortMapping> ports;       ///< as they are listed
  std::set<PortMapping> translated;  ///< on IPv6 beside them, where the translator leads to ip4

  [[nodiscard]] const std::optional<Ip>& ip(Family family) const {
    return family == Family::kV4 ? ip4 : ip6;
  }
  /// Is what comes to that address of the host led to ip4 by the translator?
  [[nodiscard]] bool by_translator(const Ip& host_ip) const;
};

struct Box {
  bool foreign = true;  ///< somebody else's namespace; else berth's own
  std::vector<Connection> connections;
  bool shared = false;  ///< somebody else is in its namespace
};

class Model {
 public:
  std::map<std::string, Labels> networks;  ///< those that are there, by name
  std::map<std::string, Box> boxes;        ///< by name; foreign namespaces are always there
  bool translator = false;
  bool translator_possible = true;

  // What a request may do.
  [[nodiscard]] bool may_create(const Kind& wanted) const;
  /// The connection that `box` would get: none if it is refused. `ip4`: as asked for.
  [[nodiscard]] std::optional<Connection> connection(const std::string& box, const Kind& to,
                                                     std::optional<Ip> ip4 = {}) const;
  /// May a connection of `box` link to the other one?
  [[nodiscard]] bool may_link(const std::string& box, const std::string& other) const;
  /// The same connection with a port more; none if that is refused.
  [[nodiscard]] std::optional<Connection> published(Connection to, const PortSpec& spec) const;

  // What it does.
  void remove_network(const std::string& name);

  // What then holds.
  [[nodiscard]] const Connection* find(const std::string& box, const std::string& network) const;
  [[nodiscard]] Connection* find(const std::string& box, const std::string& network);
  [[nodiscard]] bool in_use(const std::string& network) const;
  /// The connection that the default route goes by.
  [[nodiscard]] const Connection* way_out(const Box& box, Family family) const;
  [[nodiscard]] bool forwards(Family family) const;
  [[nodiscard]] bool translator_needed() const;

 private:
  [[nodiscard]] std::set<Ip> addresses(const std::string& network) const;
  [[nodiscard]] bool is_taken(const PortMapping& wanted) const;
};

}  // namespace berth::testing::random
