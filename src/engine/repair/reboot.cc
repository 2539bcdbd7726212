// After a restart of the machine: the store is there, and of what it describes nothing else.
//
// So it is where the machine is a container that was started again: the boot is the same, and its
// network namespace is a new one. The store knows both, and where only the namespace is another
// one, it is looked for: one that is still there has what the store describes, and only whoever is
// in it may change that. A namespace that no process in /proc is in and that is mounted nowhere is
// taken for gone.

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "base/result.h"
#include "engine/change/commit.h"
#include "engine/change/orphan_links.h"
#include "engine/change/recovery.h"
#include "engine/instance.h"
#include "engine/repair/repair.h"
#include "engine/sandboxes/files.h"
#include "engine/state/draft.h"
#include "engine/targets/find_netns.h"
#include "kernel/netns/living.h"
#include "kernel/netns/netns.h"

namespace berth::engine {
namespace {

constexpr std::string_view kBoot = "meta/boot";
constexpr std::string_view kNetns = "meta/netns";
// Boot and namespace that the journal is of, if these are not the two above.
constexpr std::string_view kJournalBoot = "meta/journal-boot";

Result<std::string> boot_id() {
  constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";
  char text[64] = {};
  const UniqueFd fd(::open(kBootId, O_RDONLY | O_CLOEXEC));
  const auto size = fd ? ::read(fd.get(), text, sizeof text - 1) : -1;
  if (size <= 0) return fail_sys(errno, "read {}", kBootId);
  return std::string(text, static_cast<std::size_t>(size));
}

// The network namespace of the host side, as the store knows it: "<inode> <cookie>".
Result<std::string> host_netns(plan::Kernel& kernel) {
  return fmt::format("{} {}", TRY(kernel.inode()), kernel::netns_cookie(*TRY(kernel.route())));
}

// What opens the namespace that the store knows as `netns`, if it is still there.
std::optional<std::string> where_is(const std::string& netns) {
  std::istringstream text(netns);
  ino_t inode = 0;
  std::uint64_t cookie = 0;
  return text >> inode >> cookie ? kernel::find_netns(inode, cookie) : std::nullopt;
}

// What is left of a sandbox once its machine has gone down; no value: nothing is.
std::optional<Sandbox> after_reboot(Sandbox sandbox) {
  if (sandbox.kind != SandboxKind::kProcess || sandbox.auto_remove) return std::nullopt;
  if (sandbox.state != SandboxState::kExited) sandbox.exit_code = 128 + SIGKILL;
  sandbox.state = SandboxState::kExited;
  sandbox.endpoints.clear();
  sandbox.pid = sandbox.shim_pid = 0;
  sandbox.pid_start = sandbox.shim_start = 0;
  sandbox.netns_inode = 0;
  return sandbox;
}

// Whether the store tells of anything in the kernel.
Result<bool> has_kernel_state(Instance& instance) {
  return !TRY(instance.journal.empty()) || !TRY(list_documents(instance, "realised/")).empty() ||
         !TRY(list_documents(instance, "sandbox/")).empty();
}

}  // namespace

Status notice_reboot(Instance& instance) {
  const auto boot = TRY(boot_id());
  const auto here = TRY(host_netns(instance.kernel));
  const auto is_here = [&]() -> Result<bool> {
    return TRY(instance.store->get(kBoot)) == boot && TRY(instance.store->get(kNetns)) == here;
  };
  if (TRY(is_here())) return {};
  const auto known = TRY(instance.store->get(kNetns));
  if (known && TRY(instance.store->get(kBoot)) == boot && TRY(has_kernel_state(instance))) {
    if (const auto path = where_is(*known)) {
      instance.elsewhere = {
          ErrorKind::kInvalid,
          fmt::format("the instance in {} belongs to another network namespace than this "
                      "one: run berth there (nsenter --net={}), or give another --root",
                      instance.config.root, *path),
          0};
      return {};
    }
  }
  const auto held = TRY(take_lock(instance));
  if (TRY(is_here())) return {};  // another process was quicker
  const store::WriteSet now_here{{std::string(kBoot), boot}, {std::string(kNetns), here}};
  const auto known_boot = TRY(instance.store->get(kBoot));
  const bool forgets_nothing =
      !known_boot || (*known_boot == boot && !TRY(instance.store->get(kNetns)));
  if (forgets_nothing) return instance.store->commit(now_here, store::Durability::kNormal);

  // What the journal tells of was in the kernel. That it was dropped is recorded by itself: what
  // follows fails as long as there is a damaged record, and an entry of this boot is to be settled.
  const auto journal_of = fmt::format("{} {}", boot, here);
  if (TRY(instance.store->get(kJournalBoot)) != journal_of) {
    TRY(instance.journal.drop());
    TRY(instance.store->commit({{std::string(kJournalBoot), journal_of}},
                               store::Durability::kNormal));
  }
  Draft draft(*instance.store);
  auto& state = draft.state;
  for (const auto& sandbox : TRY(state.sandboxes())) {
    for (const auto& endpoint : TRY(state.endpoints(sandbox.endpoints))) TRY(state.erase(endpoint));
    state.erase(sandbox);
    if (const auto rest = after_reboot(sandbox)) {
      state.put(*rest);
      continue;
    }
    if (sandbox.kind == SandboxKind::kNamespace) (void)kernel::Netns::remove(sandbox.netns_path);
    remove_files(instance, sandbox);
  }
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6})
    for (const auto& sysctl : TRY(state.switched_for(family))) state.erase_switched(sysctl.key);
  TRY(orphan_links(instance, draft.transaction));
  for (const auto& network : TRY(state.networks())) state.erase_realised(network);
  for (const auto& write : now_here) draft.transaction.put(write.key, *write.value);
  draft.transaction.erase(std::string(kJournalBoot));
  return commit(instance, draft);
}

}  // namespace berth::engine
