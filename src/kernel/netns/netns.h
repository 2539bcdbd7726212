// Network namespaces: opening, making and removing them, and doing something inside one.
//
// Theory of operation: a namespace is a property of a thread, and a thread that could not switch
// back would do all its later work in the wrong place. So what must happen inside a namespace runs
// on a thread made for it, which ends there and never switches back: run_in(). Most of berth needs
// no more than a netlink socket born inside, which then speaks for that namespace from any thread.
// What is on the path of every attach (open_socket_in()) uses visit(): on a busy machine a new
// thread waits for a processor, and 10 microseconds become 4 milliseconds, a tick of the scheduler.
// So it switches there and back, having made sure of the way back first: see netns.cc. In the
// kernel layer, netns.cc alone calls setns() and unshare().
//
// Named namespaces are files that the namespace is bind-mounted on, as `ip netns add` makes them;
// it lives until remove(), whoever ends meanwhile. Other mount namespaces that got a copy of the
// mount keep the namespace alive too, unless mounts propagate to them: the directory should be on a
// shared mount, as /run is under systemd.
//
// Capabilities: entering one needs CAP_SYS_ADMIN in the user namespace that owns it and in one's
// own; making one CAP_SYS_ADMIN; and the bind mount also in the user namespace of the mount
// namespace.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/unique_fd.h"
#include "berth/result.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

/// A network namespace, held open: it exists at least as long as this does.
class Netns {
 public:
  /// From a namespace file: /proc/<pid>/ns/net, or what create() made. kNotFound if there is no
  /// such file, kInvalid if it is something else.
  [[nodiscard]] static Result<Netns> open(const std::string& path);
  /// The namespace that the process `pid` is in.
  [[nodiscard]] static Result<Netns> open_pid(pid_t pid);
  /// The namespace that the calling thread is in.
  [[nodiscard]] static Result<Netns> current();

  /// Makes a namespace (its lo is down) and keeps it as the new file `path`. kExists if the path is
  /// taken, be it by what a restart of the machine left behind: see remove().
  [[nodiscard]] static Result<Netns> create(const std::string& path);
  /// Unmounts and removes what create() made, or what is left of it; gone already is fine. The
  /// namespace itself ends when nothing else uses it. kInvalid if the file has content.
  [[nodiscard]] static Status remove(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Identifies the namespace on this machine as long as it exists.
  [[nodiscard]] ino_t inode() const { return inode_; }

 private:
  Netns(UniqueFd fd, ino_t inode) : fd_(std::move(fd)), inode_(inode) {}
  [[nodiscard]] static Result<Netns> from_fd(UniqueFd fd, const std::string& path);

  UniqueFd fd_;
  ino_t inode_;
};

/// Runs `body` on a thread of its own inside `netns`, waits for it and returns what it returned (a
/// Result or Status). `body` must not leave work behind that relies on the thread.
[[nodiscard]] Status run_status_in(const Netns& netns, const std::function<Status()>& body);

/// The same inside a namespace that is made for it and goes afterwards, its lo down: a place to try
/// what a kernel can do.
[[nodiscard]] Status run_in_new(const std::function<Status()>& body);

template <typename Body>
[[nodiscard]] auto run_in(const Netns& netns, Body&& body) -> decltype(body()) {
  using R = decltype(body());
  if constexpr (std::is_same_v<R, Status>) {
    return run_status_in(netns, body);
  } else {
    std::optional<R> returned;
    const auto entered = run_status_in(netns, [&]() -> Status {
      returned = body();
      return {};
    });
    if (!entered) return std::unexpected(entered.error());
    return *std::move(returned);
  }
}

/// The namespace that the calling thread is in, held open to come back to: for that thread as long as
/// nothing else moves it, and for others that are in the same namespace.
class Home {
 public:
  /// kPermission where the thread could not come back.
  [[nodiscard]] static Result<Home> here();
  [[nodiscard]] Status leave_for(const Netns& netns) const;
  void come_back() const;  ///< ends the process if it cannot: see netns.cc

 private:
  explicit Home(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// Switches the calling thread to `netns` and back, before and after a `body` of a few system calls
/// which must not throw. Where that is not permitted, run_in().
template <typename Body>
[[nodiscard]] auto visit(const Netns& netns, const Result<Home>& home, Body&& body)
    -> decltype(body()) {
  if (!home || !home->leave_for(netns)) return run_in(netns, std::forward<Body>(body));
  auto result = body();
  home->come_back();
  return result;
}
template <typename Body>
[[nodiscard]] auto visit(const Netns& netns, Body&& body) -> decltype(body()) {
  return visit(netns, Home::here(), std::forward<Body>(body));
}

/// The id by which the namespace of `socket`, a route socket, knows `netns` (`ip netns list-id`); none
/// if it has had no reason to give it one. Interface indexes of one namespace mean nothing in another:
/// what refers to a link of another namespace (IFLA_LINK) comes with this id (IFLA_LINK_NETNSID).
[[nodiscard]] Result<std::optional<int>> netns_id(Socket& socket, const Netns& netns);

/// A netlink socket that speaks for `netns`.
[[nodiscard]] Result<Socket> open_socket_in(const Netns& netns, int protocol);
[[nodiscard]] Result<Socket> open_socket_in(const Netns& netns, const Result<Home>& home,
                                            int protocol);

}  // namespace berth::kernel
