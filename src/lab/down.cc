// Removing a lab, whole or half.
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <set>

#include "base/result.h"
#include "base/shell.h"
#include "berth/engine.h"
#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"
#include "lab/layout.h"
#include "lab/processes.h"
#include "lab/switch.h"

namespace berth::lab {
namespace {

namespace fs = std::filesystem;
using kernel::Netns;

// Collects errors; what must go on past them adds to it.
class Errors {
 public:
  void add(Status status) {
    if (!status) errors_.push_back(std::move(status).error());
  }
  void add(std::vector<Error> errors) {
    for (auto& error : errors) errors_.push_back(std::move(error));
  }
  [[nodiscard]] std::vector<Error> take() { return std::move(errors_); }

 private:
  std::vector<Error> errors_;
};

// Calls `visit` with the name and the namespace of each host that is there, one after the other.
// From the files, since a lab that was not finished has no list.
void for_each_place(const Lab& lab,
                    const std::function<void(const std::string&, const Netns&)>& visit) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator entry(lab.directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    paths.push_back(entry->path());
  for (const auto& path : paths) {
    if (const auto netns = Netns::open(path)) visit(path.filename(), *netns);
  }
}

std::vector<Lab> inner_labs(const Lab& lab, const std::string& place) {
  return list(lab.run_of(place) + "/labs").value_or(std::vector<Lab>());
}

// A process cannot remove the ground that it stands on.
Status check_outside(const Lab& lab, ino_t own) {
  Status outside;
  for_each_place(lab, [&](const std::string& place, const Netns& netns) {
    if (!outside) return;
    if (netns.inode() == own)
      outside = fail(ErrorKind::kInUse,
                     "lab '{}' cannot be removed from inside its host {}: leave that first",
                     lab.name, place);
    for (const auto& inner : inner_labs(lab, place)) {
      if (outside) outside = check_outside(inner, own);
    }
  });
  return outside;
}

bool has_instance(const Lab& lab, const std::string& place) {
  std::error_code error;
  return fs::exists(lab.root_of(place) + "/berth.db", error);
}

// Sandboxes have namespaces of their own, so only the host's engine knows them.
std::vector<Error> reset_engine(const Lab& lab, const std::string& place, const Netns& netns) {
  const Config config{.root = lab.root_of(place), .run = lab.run_of(place)};
  if (!has_instance(lab, place)) return {};
  Errors errors;
  errors.add(kernel::run_in(netns, [&]() -> Status {
    errors.add(Engine::reset(config));
    return {};
  }));
  return errors.take();
}

// Takes eth0 from every host at once. Without links, a namespace that something still holds open
// is empty, and the kernel has less to clean up one by one.
Status unplug_all(const Lab& lab) {
  const auto netns = Netns::open(lab.netns_of(kSwitch));
  if (!netns) return {};  // it was not made
  auto socket = TRY(kernel::open_socket_in(*netns, NETLINK_ROUTE));
  auto deleted = socket.request(kernel::delete_link_group(kPortGroup));
  if (!deleted && deleted.error().kind != ErrorKind::kNotFound) return deleted;
  return {};
}

bool is_mount(const std::string& path) {
  struct statx info;
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &info) == 0 &&
         (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// The lab's directory with everything mounted in it, here and wherever copies are.
Status unmount(const std::string& path) {
  while (is_mount(path)) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
      return fail_sys(errno, "unmount {}", path);
  }
  return {};
}

}  // namespace

std::vector<Error> dismantle(const Lab& lab) {
  Errors errors;
  std::set<ino_t> inodes;
  for_each_place(lab, [&](const std::string& place, const Netns& netns) {
    for (const auto& inner : inner_labs(lab, place)) errors.add(dismantle(inner));
    errors.add(reset_engine(lab, place, netns));
    inodes.insert(netns.inode());
  });
  if (!inodes.empty()) errors.add(end_processes_in(inodes));
  errors.add(unplug_all(lab));
  if (auto unmounted = unmount(lab.directory); !unmounted) {
    errors.add(std::move(unmounted));  // its files are in use: down() can be tried again
    return errors.take();
  }
  std::error_code error;
  fs::remove_all(lab.directory, error);
  if (error) errors.add(fail_sys(error.value(), "remove the directory {}", lab.directory));
  return errors.take();
}

std::vector<Error> down(const std::string& directory, const std::string& name) {
  const auto remove = [&]() -> Result<std::vector<Error>> {
    TRY(find(directory, name));
    const auto held = TRY(lock(directory));
    const auto lab = TRY(find(directory, name));  // another process may have removed it meanwhile
    TRY(check_outside(lab, TRY(Netns::current()).inode()));
    return dismantle(lab);
  };
  auto errors = remove();
  if (!errors) return {std::move(errors).error()};
  return *std::move(errors);
}

// The same steps as dismantle(), as commands.
Result<std::vector<std::string>> plan_down(const std::string& directory, const std::string& name) {
  const auto lab = TRY(find(directory, name));
  TRY(check_outside(lab, TRY(Netns::current()).inode()));
  std::vector<std::string> commands;
  std::set<ino_t> inodes;
  for_each_place(lab, [&](const std::string& place, const Netns& netns) {
    const auto in =
        fmt::format("nsenter --net={} berth --root {} --run {} ", shell_word(lab.netns_of(place)),
                    shell_word(lab.root_of(place)), shell_word(lab.run_of(place)));
    for (const auto& inner : inner_labs(lab, place))
      commands.push_back(in + "lab down " + inner.name);
    if (has_instance(lab, place)) commands.push_back(in + "system reset -f");
    inodes.insert(netns.inode());
  });
  std::string pids;
  if (!inodes.empty()) {
    for (const auto& process : TRY(processes_in(inodes))) pids += fmt::format(" {}", process.pid);
  }
  if (!pids.empty()) {
    // Some end by themselves when the sandboxes go.
    for (const auto* kill : {"kill", "sleep 1; kill -KILL"})
      commands.push_back(kill + pids + " 2>/dev/null || true");
  }
  if (lab.intact)
    commands.push_back(fmt::format("nsenter --net={} ip link del group {}",
                                   shell_word(lab.netns_of(kSwitch)), kPortGroup));
  const auto own = shell_word(lab.directory);
  if (is_mount(lab.directory)) commands.push_back("umount -l " + own);
  commands.push_back("rm -r " + own);
  return commands;
}

}  // namespace berth::lab
