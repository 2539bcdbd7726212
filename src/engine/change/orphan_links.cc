#include "engine/change/orphan_links.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/json_writer.h"
#include "base/result.h"
#include "engine/change/recovery.h"
#include "engine/change/transaction.h"
#include "engine/instance.h"
#include "kernel/netlink/link.h"
#include "plan/json.h"
#include "plan/whose.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

// Before the name of a link that could not be deleted; its value is what tells it from another one.
constexpr std::string_view kLeft = "left/";

std::string identity(const kernel::LinkInfo& link) {
  return fmt::format("{} {}", link.index, link.mac ? link.mac->str() : "");
}

}  // namespace

void remember_orphan_links(Instance& instance, const plan::Plan& plan, store::WriteSet& writes) {
  const auto socket = instance.kernel.route();
  if (!socket) return;
  for (const auto& op : plan) {
    const auto* gone = std::get_if<plan::DeleteLink>(&op);
    if (!gone || !gone->ns.is_host()) continue;  // a sandbox's own interface goes with it
    const auto link = kernel::find_link(**socket, gone->name);
    if (link && *link) writes.push_back({std::string(kLeft) + gone->name.str(), identity(**link)});
  }
}

Result<plan::Plan> orphan_links(Instance& instance, Transaction& transaction) {
  plan::Plan plan;
  for (const auto& [key, which] : TRY(list_documents(instance, kLeft))) {
    transaction.erase(key);
    const auto name = IfName::parse(std::string_view(key).substr(kLeft.size()));
    if (!name) continue;
    const auto link = TRY(kernel::find_link(*TRY(instance.kernel.route()), *name));
    if (link && identity(*link) == which) plan.push_back(plan::DeleteLink{*name});
  }
  return plan;
}

}  // namespace berth::engine
