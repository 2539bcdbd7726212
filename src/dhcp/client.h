// An address from a DHCP server, by a client that the host has: BusyBox's udhcpc.
//
// Theory of operation (documents: udhcpc's README; RFC 2131): the client runs inside the sandbox's
// network namespace, in the mount namespace and under the user of berth. start() returns when the
// first lease is there, and the client goes on in the background, renews it, and gives it back when
// stop() ends it. At every event it runs a program, which is berth itself under the name
// kEventProgram (apps/berth.cc): that notes the lease in a file, where start() finds it, and tells
// the engine. Everything of one client is in a directory of its own:
//
//   berth-dhcp-event  a link to the berth program
//   pid               the client's process
//   attended          is there while start() or stop() is at work
//   lease             what the server said last, as lines of KEY=VALUE under udhcpc's names; empty:
//                     there is no lease (any more)
//
// What comes from the server is parsed, never given to a shell.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/result.h"
#include "kernel/netns/netns.h"

namespace berth::dhcp {

inline constexpr std::string_view kEventProgram = "berth-dhcp-event";
/// The descriptor under which the client and its events have the host's network namespace. High,
/// because udhcpc takes the lowest ones for itself, open or not.
inline constexpr int kHostNetnsFd = 100;
inline constexpr const char* kDirectoryVariable = "BERTH_DHCP_DIRECTORY";

struct Spec {
  std::string directory;         ///< made where missing
  IfName link;                   ///< up
  std::string hostname;          ///< told to the server (option 12); may be empty
  std::string program;           ///< berth
  std::vector<std::string> env;  ///< K=V, for the events
};

struct Lease {
  Cidr address;
  std::optional<Ip> router;
};

/// Starts a client in `netns` and waits for its first lease. kUnsupported where the host has no
/// client; kNotFound if no server has offered an address within some seconds.
[[nodiscard]] Result<Lease> start(const kernel::Netns& netns, const Spec& spec);

/// Is start() or stop() at work on the client of a directory? Then its events are to note and no
/// more: the engine that called them holds the lock, and looks at the lease itself.
[[nodiscard]] bool is_attended(const std::string& directory);

/// kUnsupported where the host has no client.
[[nodiscard]] Status check_client();

/// Ends the client of a directory, which releases its lease first, and removes the directory.
/// Nothing there is fine.
[[nodiscard]] Status stop(const std::string& directory);

/// Is /proc/<pid> that of a client which start() has started, or of one of its events?
[[nodiscard]] bool is_client(const std::string& process);

/// Is the client of a directory there?
[[nodiscard]] bool running(const std::string& directory);

/// The lease that is noted in a directory; none where there is none.
[[nodiscard]] Result<std::optional<Lease>> lease_in(const std::string& directory);

/// Has the client said that it has no lease? It says so too when it starts.
[[nodiscard]] bool is_deconfigured(const std::string& directory);

/// For the event program: notes what the environment says of the event (udhcpc's variables).
[[nodiscard]] Status note(const std::string& directory, std::string_view event);

}  // namespace berth::dhcp
