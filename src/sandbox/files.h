// The files that a sandbox sees at /etc/hosts, /etc/hostname and /etc/resolv.conf.
//
// Texts are made by pure functions. The files are bind-mounted into the sandbox, so they are
// written in place: a renamed new file would leave the old one mounted.
//
// Sources: the form of the hosts file is moby daemon/libnetwork/etchosts/etchosts.go; for
// resolv.conf see resolv_conf.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/result.h"

namespace berth::sandbox {

struct HostEntry {
  std::string name;  ///< or several, with blanks between them
  Ip ip;
};

/// --add-host as it was asked for.
struct AddHost {
  std::string name;
  std::optional<Ip> ip;  ///< nullopt: "host-gateway", the host as the sandbox reaches it
};

/// "name:ip" or "name=ip"; the ip may be IPv6, with or without brackets, or "host-gateway".
[[nodiscard]] Result<AddHost> parse_add_host(std::string_view text);

/// The same as it is kept: "name:ip" or "name:host-gateway".
[[nodiscard]] std::string to_text(const AddHost& host);

/// One entry, or for "host-gateway" one for each of the host's addresses.
[[nodiscard]] std::vector<HostEntry> resolve(const AddHost& host, std::span<const Ip> gateways);

struct HostsFile {
  std::string hostname;
  std::string domainname;        ///< empty: none, or in `hostname` already
  std::vector<HostEntry> extra;  ///< --add-host and --link
  std::vector<Ip> addresses;     ///< the sandbox's own
  bool ipv6 = true;              ///< false leaves every IPv6 line out
};

/// Of a host name with a domain both forms stand on its lines: "web.example.org web".
[[nodiscard]] std::string hosts_text(const HostsFile& hosts);

/// Lines for what is added to a hosts file that somebody else wrote.
[[nodiscard]] std::string hosts_lines(std::span<const HostEntry> entries);

/// The content of `path`; a file that is not there has none. Reading ends soon after `most` bytes.
[[nodiscard]] Result<std::string> read_text(const std::string& path,
                                            std::size_t most = std::string::npos);

/// Replaces the content of `path`, which is made (mode 0644) if it does not exist. A reader may see
/// it half written; both files are read again at the next look-up.
[[nodiscard]] Status write_in_place(const std::string& path, std::string_view text);

}  // namespace berth::sandbox
