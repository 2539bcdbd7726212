#include "sandbox/shim/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace berth::shim {
namespace {

constexpr std::uint64_t kAll = ~std::uint64_t{0};

// The bounding set is what a program that is executed can have at most, root's included.
void limit_bounding_set(std::uint64_t capabilities, const FailurePipe& failures) {
  for (int number = 0; prctl(PR_CAPBSET_READ, number) >= 0; ++number) {
    if ((capabilities >> number & 1) != 0 || prctl(PR_CAPBSET_READ, number) == 0) continue;
    if (prctl(PR_CAPBSET_DROP, number) != 0) failures.give_up("drop capability %d", number);
  }
}

void limit_own_sets(std::uint64_t capabilities, const FailurePipe& failures) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &header, sets) != 0) failures.give_up("read its capabilities");
  for (int half = 0; half < 2; ++half) {
    const auto kept = static_cast<std::uint32_t>(capabilities >> (32 * half));
    sets[half].permitted &= kept;
    sets[half].effective = sets[half].permitted;
    sets[half].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, sets) != 0) failures.give_up("drop its capabilities");
}

}  // namespace

void take_privileges(const Privileges& privileges, const FailurePipe& failures) {
  if (privileges.capabilities != kAll) limit_bounding_set(privileges.capabilities, failures);
  if (privileges.has_user) {
    // A user namespace may have given setgroups(2) away (user_namespaces(7)); then there are none.
    const bool is_denied = setgroups(privileges.group_count, privileges.groups) != 0 &&
                           (errno != EPERM || privileges.group_count > 0);
    if (is_denied || setresgid(privileges.gid, privileges.gid, privileges.gid) != 0 ||
        setresuid(privileges.uid, privileges.uid, privileges.uid) != 0) {
      failures.give_up("become user %u, group %u", privileges.uid, privileges.gid);
    }
  }
  if (privileges.capabilities != kAll) limit_own_sets(privileges.capabilities, failures);
  if (privileges.no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    failures.give_up("refuse new privileges");
  }
}

}  // namespace berth::shim
