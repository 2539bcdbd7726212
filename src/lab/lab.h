// Labs: throw-away hosts on a common switch, to try, teach and test in.
//
// A lab is a directory, and in it a file for each network namespace:
//
//   <run>/labs/NAME/           a shared mount of its own
//     switch                   the switch: a namespace with the bridge `lan`, 192.0.2.1/24
//     h1 h2 ...                the hosts: namespaces with eth0, 192.0.2.11/24, 192.0.2.12/24, ...
//     root/h1 run/h1 ...       each host's --root and --run
//     lab.json                 written last: a lab without it was not finished
//
// Theory of operation: the host side of every network of berth's is made in the namespace that a
// command runs in, so a simulated host needs no more than a namespace and directories. Each host's
// eth0 is a veth whose other end, named as the host, is a port of `lan`, and its default route goes
// to the switch. The switch is "the outside" too: 198.51.100.1 on its lo answers pings, so that
// masquerade has somewhere to go and no packet ever leaves the machine. The addresses are those
// that RFC 5737 keeps for documentation.
//
// Mounts: a command in a host has a mount namespace of its own (for /sys), but the namespaces that
// it makes files for (berth sandbox create, another lab) must outlive it. So the lab's directory is
// a shared mount, whatever the file system that it is on is, and enter.cc keeps it shared with the
// command; all its other mounts are the command's alone. It also makes the end simple: one unmount
// takes everything in it away.
//
// Ownership: whoever may write the directory. up() and down() exclude one another by a lock on the
// directory of all labs, which the kernel releases if the process dies; what a process that died
// half-way left, down() removes. A lab inside a lab's host is a lab of that host's --run.
// Debugging: `berth lab exec NAME/switch` enters the switch; `bridge link` there shows the hosts.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "berth/address.h"
#include "berth/result.h"
#include "sandbox/start_error.h"

namespace berth::lab {

inline constexpr int kMaxHosts = 200;  // their addresses end at 192.0.2.210

struct LabSpec {
  std::string name;  ///< [a-z0-9][a-z0-9-]*, at most 63 characters
  int hosts = 2;
  std::string directory;  ///< of all labs: <run>/labs; absolute, made where it is missing
};

struct Host {
  std::string name;
  Cidr address;  ///< of its eth0

  friend bool operator==(const Host&, const Host&) = default;
};

struct Lab {
  std::string name;
  std::string directory;    ///< its own
  std::vector<Host> hosts;  ///< none: not finished
  bool intact = false;      ///< every namespace is there

  [[nodiscard]] std::string netns_of(const std::string& host) const {
    return directory + "/" + host;
  }
  [[nodiscard]] std::string root_of(const std::string& host) const;
  [[nodiscard]] std::string run_of(const std::string& host) const;
};

/// The switch: a host to exec(), but not one of Lab::hosts.
inline constexpr char kSwitch[] = "switch";
[[nodiscard]] Ip gateway();  ///< the switch's address on the lan
[[nodiscard]] Ip outside();  ///< the address that stands for the internet

/// Makes a lab. After an error nothing of it remains.
[[nodiscard]] Result<Lab> up(const LabSpec& spec);

/// The commands that would make the same lab, in order; refuses what up() would before it makes
/// anything.
[[nodiscard]] Result<std::vector<std::string>> plan_up(const LabSpec& spec);

/// The labs in `directory` by name, those that were not finished among them.
[[nodiscard]] Result<std::vector<Lab>> list(const std::string& directory);
[[nodiscard]] Result<Lab> find(const std::string& directory, const std::string& name);

struct Command {
  std::string host;
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< "K=V", all of it; BERTH_ROOT and BERTH_RUN are replaced
};
/// Runs a command in a host's network namespace in the foreground, with a matching /sys and with
/// BERTH_ROOT and BERTH_RUN set to the host's directories. Everything else is the caller's. Returns
/// its exit code (0-255, 128 + signal). For single-threaded programs.
[[nodiscard]] std::expected<int, sandbox::StartError> exec(const Lab& lab, const Command& command);

/// Ends what runs in the hosts (sandboxes, labs inside, any other process), then removes all of the
/// lab; also of one that is not finished or lost its namespaces. Goes on past errors.
[[nodiscard]] std::vector<Error> down(const std::string& directory, const std::string& name);

/// The commands that would remove the lab as it is now: with what runs in it at this moment.
[[nodiscard]] Result<std::vector<std::string>> plan_down(const std::string& directory,
                                                         const std::string& name);

}  // namespace berth::lab
