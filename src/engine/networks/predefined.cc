#include <algorithm>
#include <array>

#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/interface.h"
#include "engine/change/commit.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/networks/networks.h"
#include "engine/networks/subnets.h"
#include "engine/state/draft.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "ipam/allocator.h"
#include "ipam/pools.h"
#include "ipam/subnet.h"
#include "kernel/netlink/link.h"
#include "kernel/sysctl/sysctl.h"
#include "model/options.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

constexpr std::string_view kDefaultDevice = "berth0";

}  // namespace

// Docker's three, made with the store itself. `bridge` gets its devices when it is first used, so
// that asking berth for anything does not change the host.
Status add_predefined_networks(Instance& instance) {
  Draft draft(*instance.store);
  if (TRY(draft.transaction.get("network-name/none"))) return {};
  for (const auto& [name, driver] :
       {std::pair{"bridge", Driver::kBridge}, std::pair{"host", Driver::kHost},
        std::pair{"none", Driver::kNone}}) {
    Network network;
    network.id = random_id();
    network.name = name;
    network.driver = driver;
    network.created = now();
    network.predefined = true;
    if (driver == Driver::kBridge) {
      network.options = {{std::string(model::kOptionBridgeName), std::string(kDefaultDevice)}};
      TRY(model::read_options(network, network.options));
      // Without a free subnet it gets one at its first use, like its devices.
      const auto added =
          add_subnets(network, {}, {}, pools_of(instance.config), *TRY(instance.kernel.route()));
      if (!added && added.error().kind != ErrorKind::kExhausted)
        return std::unexpected(added.error());
    }
    draft.state.put(network);
  }
  draft.durability = store::Durability::kFull;
  return commit(instance, draft);
}

}  // namespace berth::engine
