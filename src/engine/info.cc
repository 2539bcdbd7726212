// What the instance consists of: info and df.

#include "engine/info.h"

#include <sys/utsname.h>

#include <filesystem>

#include "base/result.h"
#include "engine/host/host_facts.h"
#include "engine/instance.h"
#include "engine/networks/networks.h"
#include "engine/state/draft.h"
#include "engine/targets/targets.h"
#include "firewall/table.h"
#include "kernel/netns/netns.h"

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

std::uint64_t bytes_of_files(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(directory, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error))
    if (entry->is_regular_file(error)) bytes += entry->file_size(error);
  return bytes;
}

}  // namespace

Result<Info> instance_info(Instance& instance) {
  Info info;
  info.version = BERTH_VERSION;
  info.root = instance.config.root;
  info.run = instance.config.run;
  utsname kernel_name{};
  uname(&kernel_name);
  info.kernel = kernel_name.release;
  info.netns_inode = TRY(kernel::Netns::current()).inode();
  info.ip_forward = TRY(forwarding_on(Ip::Family::kV4));
  View look(*instance.store);
  info.ip_forward_by_berth = TRY(look.state.switched(forwarding_key(Ip::Family::kV4))).has_value();
  info.networks = TRY(look.state.networks()).size();
  for (const auto& sandbox : TRY(look.state.sandboxes())) {
    ++info.sandboxes;
    if (alive(sandbox)) ++info.running;
    for (const auto& endpoint : TRY(look.state.endpoints(sandbox.endpoints))) {
      ++info.endpoints;
      info.ports += endpoint.ports.size();
    }
  }
  return info;
}

Result<DiskUse> disk_use(Instance& instance) {
  DiskUse use;
  use.store_bytes = bytes_of_files(instance.config.root);
  use.log_bytes = bytes_of_files(instance.config.run + "/sandboxes");
  View look(*instance.store);
  for (const auto& network : TRY(look.state.networks()))
    for (auto& subnet : TRY(network_subnet_use(instance, network)))
      use.subnets.push_back(std::move(subnet));
  return use;
}

}  // namespace berth::engine
