// After a restart of the machine: the store is there, and of what it describes nothing else.

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "base/result.h"
#include "engine/change/commit.h"
#include "engine/change/orphan_links.h"
#include "engine/change/recovery.h"
#include "engine/instance.h"
#include "engine/repair/repair.h"
#include "engine/sandboxes/files.h"
#include "engine/state/draft.h"
#include "kernel/netns/netns.h"

namespace berth::engine {
namespace {

// The boot that the journal is of, if that is not meta/boot.
constexpr std::string_view kJournalBoot = "meta/journal-boot";

Result<std::string> boot_id() {
  constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";
  char text[64] = {};
  const UniqueFd fd(::open(kBootId, O_RDONLY | O_CLOEXEC));
  const auto size = fd ? ::read(fd.get(), text, sizeof text - 1) : -1;
  if (size <= 0) return fail_sys(errno, "read {}", kBootId);
  return std::string(text, static_cast<std::size_t>(size));
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

}  // namespace

Status notice_reboot(Instance& instance) {
  const auto boot = TRY(boot_id());
  if (TRY(instance.store->get("meta/boot")) == boot) return {};
  const auto held = TRY(take_lock(instance));
  const auto known = TRY(instance.store->get("meta/boot"));
  if (known == boot) return {};  // another process was quicker
  if (!known) return instance.store->commit({{"meta/boot", boot}}, store::Durability::kNormal);

  // What the journal tells of was in the kernel. That it was dropped is recorded by itself: what
  // follows fails as long as there is a damaged record, and an entry of this boot is to be settled.
  if (TRY(instance.store->get(kJournalBoot)) != boot) {
    TRY(instance.journal.drop());
    TRY(instance.store->commit({{std::string(kJournalBoot), boot}}, store::Durability::kNormal));
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
  draft.transaction.put("meta/boot", boot);
  draft.transaction.erase(std::string(kJournalBoot));
  return commit(instance, draft);
}

}  // namespace berth::engine
