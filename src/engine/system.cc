// What the instance consists of: info and df.

#include <sys/utsname.h>

#include <filesystem>

#include "base/result.h"
#include "engine/host_facts.h"
#include "engine/impl.h"
#include "firewall/table.h"
#include "kernel/netns/netns.h"

namespace berth {
namespace {

using engine::Change;
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

Result<drivers::Facts> Engine::Impl::facts(bool needs_bridge_netfilter) const {
  static const bool kIpv6 = engine::has_ipv6();  // a kernel does not change that
  return drivers::Facts{
      .bridge_netfilter = needs_bridge_netfilter && TRY(engine::bridge_netfilter_on()),
      .ipv6 = kIpv6};
}

Result<Info> Engine::Impl::info() {
  Info info;
  info.version = BERTH_VERSION;
  info.root = config.root;
  info.run = config.run;
  utsname kernel_name{};
  uname(&kernel_name);
  info.kernel = kernel_name.release;
  info.netns_inode = TRY(kernel::Netns::current()).inode();
  info.ip_forward = TRY(engine::forwarding_on(Ip::Family::kV4));
  Change look(*store);
  const auto key = engine::forwarding_key(Ip::Family::kV4);
  const auto mark = shared(engine::word_of(key));  // another instance's, if one may look
  info.ip_forward_by_berth =
      TRY(look.state.switched(engine::forwarding_key(Ip::Family::kV4))).has_value() ||
      (mark && *mark);
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

Result<DiskUse> Engine::Impl::disk_use() {
  DiskUse use;
  use.store_bytes = bytes_of_files(config.root);
  use.log_bytes = bytes_of_files(config.run + "/sandboxes");
  Change look(*store);
  for (const auto& network : TRY(look.state.networks()))
    for (auto& subnet : TRY(subnet_use(network))) use.subnets.push_back(std::move(subnet));
  return use;
}

}  // namespace berth
