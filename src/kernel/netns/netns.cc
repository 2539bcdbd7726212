#include "kernel/netns/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "base/result.h"

namespace berth::kernel {
namespace {

// Not /proc/self: that is the process's first thread, which may be elsewhere.
constexpr const char* kOwnNamespace = "/proc/thread-self/ns/net";

// Runs `body` on a new thread and waits for it.
Status on_own_thread(const std::function<Status()>& body) {
  Status result;
  try {
    std::thread([&] { result = body(); }).join();
  } catch (const std::system_error& error) {  // std::thread has no other way to say so
    return fail_sys(error.code().value(), "start a thread to enter a network namespace");
  }
  return result;
}

Status enter(const Netns& netns) {
  if (::setns(netns.fd(), CLONE_NEWNET) == 0) return {};
  return fail_sys(errno, "enter the network namespace with inode {}", netns.inode());
}

bool is_mount_of_namespace(const std::string& path) {
  struct statfs fs;
  return ::statfs(path.c_str(), &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

// Puts a new namespace on the file `path`; for a thread that ends afterwards.
Status make_namespace_on(const std::string& path) {
  if (::unshare(CLONE_NEWNET) != 0) return fail_sys(errno, "make network namespace {}", path);
  if (::mount(kOwnNamespace, path.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return fail_sys(errno, "mount the new network namespace on {}", path);
  return {};
}

}  // namespace

Result<Netns> Netns::from_fd(UniqueFd fd, const std::string& path) {
  // The file system first: an ioctl could mean anything to a device.
  struct statfs fs;
  if (::fstatfs(fd.get(), &fs) != 0) return fail_sys(errno, "look at {}", path);
  if (fs.f_type != NSFS_MAGIC || ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return fail(ErrorKind::kInvalid,
                "'{}' is not a network namespace; what is allowed is /proc/<pid>/ns/net or a file "
                "that such a namespace is mounted on",
                path);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return fail_sys(errno, "look at {}", path);
  return Netns(std::move(fd), info.st_ino);
}

Result<Netns> Netns::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail_sys(errno, "open network namespace '{}'", path);
  return from_fd(std::move(fd), path);
}

Result<Netns> Netns::open_pid(pid_t pid) {
  const auto path = fmt::format("/proc/{}/ns/net", pid);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT)
    return fail(ErrorKind::kNotFound, "no process has the id {}, or it has ended", pid);
  if (!fd) return fail_sys(errno, "open the network namespace of process {}", pid);
  return from_fd(std::move(fd), path);
}

Result<Netns> Netns::current() {
  return open(kOwnNamespace);
}

Result<Netns> Netns::create(const std::string& path) {
  if (!UniqueFd(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)))
    return fail_sys(errno, "make the file {} for a network namespace", path);
  if (auto made = on_own_thread([&] { return make_namespace_on(path); }); !made) {
    ::unlink(path.c_str());
    return std::unexpected(std::move(made).error());
  }
  return open(path);
}

Status Netns::remove(const std::string& path) {
  // More than one namespace may be mounted here if something else put them on top of one another.
  while (is_mount_of_namespace(path)) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
      return fail_sys(errno, "unmount network namespace {}", path);
  }
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail_sys(errno, "look at {}", path);
  }
  if (!S_ISREG(info.st_mode) || info.st_size != 0)
    return fail(ErrorKind::kInvalid,
                "'{}' is not the file of a network namespace, which is empty once unmounted: it is "
                "left alone",
                path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail_sys(errno, "remove network namespace {}", path);
  return {};
}

Status run_status_in(const Netns& netns, const std::function<Status()>& body) {
  return on_own_thread([&]() -> Status {
    TRY(enter(netns));
    return body();
  });
}

Status run_in_new(const std::function<Status()>& body) {
  return on_own_thread([&]() -> Status {
    if (::unshare(CLONE_NEWNET) != 0) return fail_sys(errno, "make a network namespace");
    return body();
  });
}

// To enter the namespace that one is in already takes the permission that coming back to it will
// take, and changes nothing. Who gets it can come back; a thread does it for who does not (a
// process in a user namespace that does not own its network namespace). What is left is a kernel
// without the few bytes that a switch takes: then the process ends, since to go on would change the
// wrong host, and what it had begun is rolled back like any killed process's.
Result<Home> Home::here() {
  UniqueFd home(::open(kOwnNamespace, O_RDONLY | O_CLOEXEC));
  if (!home) return fail_sys(errno, "open network namespace '{}'", kOwnNamespace);
  if (::setns(home.get(), CLONE_NEWNET) != 0) return fail_sys(errno, "enter one's own namespace");
  return Home(std::move(home));
}

Status Home::leave_for(const Netns& netns) const {
  return enter(netns);
}

void Home::come_back() const {
  if (::setns(fd_.get(), CLONE_NEWNET) != 0) std::abort();
}

// rtnl_net_getid in net/core/net_namespace.c.
Result<std::optional<int>> netns_id(Socket& socket, const Netns& netns) {
  Message message(RTM_GETNSID, 0, rtgenmsg{});
  message.put_u32(NETNSA_FD, static_cast<std::uint32_t>(netns.fd()));
  const auto id =
      TRY(socket.get<std::int32_t>({std::move(message), "look up the id of a network namespace"},
                                   [](const MessageView& answer) -> std::optional<std::int32_t> {
                                     const auto found =
                                         answer.attributes(sizeof(rtgenmsg)).find(NETNSA_NSID);
                                     return found ? found->s32() : std::nullopt;
                                   }));
  return id == NETNSA_NSID_NOT_ASSIGNED ? std::nullopt : id;
}

Result<Socket> open_socket_in(const Netns& netns, int protocol) {
  return open_socket_in(netns, Home::here(), protocol);
}

Result<Socket> open_socket_in(const Netns& netns, const Result<Home>& home, int protocol) {
  return visit(netns, home, [&] { return Socket::open(protocol); });
}

}  // namespace berth::kernel
