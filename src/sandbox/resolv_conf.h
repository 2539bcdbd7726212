// resolv.conf(5) for a sandbox, made from the host's.
//
// Theory of operation: parse the host's file, apply what the user overrides, fit it to the sandbox,
// write it. A nameserver on the host's loopback cannot be reached from another network namespace,
// so it is dropped; when systemd-resolved's stub (127.0.0.53) is all there is, the file that lists
// its upstreams is read instead.
//
// Source: moby daemon/libnetwork/internal/resolvconf/resolvconf.go (Parse, TransformForLegacyNw,
// the default servers) and resolvconf_path.go. A nameserver with a zone
// ("fe80::1%eth0") is dropped as well: the zone is an interface that the sandbox does not have. In
// the host's own network namespace all of them are kept, also those that are not understood here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/result.h"

namespace berth::sandbox {

struct NameServer {
  NameServer(Ip address) : text(address.str()), ip(address) {}  // NOLINT: an address is one
  explicit NameServer(std::string word);

  friend bool operator==(const NameServer&, const NameServer&) = default;

  std::string text;
  std::optional<Ip> ip;  ///< nullopt: one with a zone, or in a form that only the C library reads
};

struct ResolvConf {
  std::vector<NameServer> nameservers;
  std::vector<std::string> search;
  std::vector<std::string> options;
  std::vector<std::string> other;  ///< lines of other directives (sortlist), kept as they are
};

/// Comments and blank lines are left out; the last search or domain line counts.
[[nodiscard]] ResolvConf parse_resolv_conf(std::string_view text);

[[nodiscard]] std::string to_text(const ResolvConf& conf);

/// --dns, --dns-search and --dns-option: a list that is not empty replaces the host's. The search
/// domain "." alone means none.
struct DnsOverrides {
  std::vector<Ip> nameservers;
  std::vector<std::string> search;
  std::vector<std::string> options;

  [[nodiscard]] bool empty() const {
    return nameservers.empty() && search.empty() && options.empty();
  }
};

/// Refuses what would not be one word of the file.
[[nodiscard]] Result<DnsOverrides> parse_dns_overrides(const std::vector<std::string>& nameservers,
                                                       const std::vector<std::string>& search,
                                                       const std::vector<std::string>& options);

/// For a sandbox in the host's network namespace, where the host's loopback is its own.
[[nodiscard]] ResolvConf for_host_network(const ResolvConf& host, const DnsOverrides& overrides);

/// For a sandbox in a network namespace of its own. `ipv6`: whether the sandbox has IPv6; without it IPv6
/// nameservers of the host are dropped. Overrides are taken as they are. With none left: 8.8.8.8
/// and 8.8.4.4 (and 2001:4860:4860::8888 and ::8844), as Docker does.
[[nodiscard]] ResolvConf for_sandbox(const ResolvConf& host, const DnsOverrides& overrides,
                                     bool ipv6);

/// The host's configuration: `path`, or `behind_stub` where `path` names systemd-resolved's stub
/// alone. A missing file is an empty configuration.
[[nodiscard]] Result<ResolvConf> read_host_resolv_conf(
    const std::string& path = "/etc/resolv.conf",
    const std::string& behind_stub = "/run/systemd/resolve/resolv.conf");

}  // namespace berth::sandbox
