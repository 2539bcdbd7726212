// What others do to the kernel, and the step that mends it.
#include "base/result.h"
#include "engine_random_steps.h"

namespace berth::testing::random {

std::vector<Damage> possible_damage(const Model& model) {
  std::vector<Damage> all;
  const auto on_host = [&](const std::string& command) { all.push_back({command, {}}); };
  bool table = false;
  for (const auto& [name, labels] : model.networks) {
    const auto& network = kind(name);
    const auto& device = network.device;
    table = table || network.in_table();
    if (network.host_access) {
      on_host("ip link del $(ip -o link show type macvlan | grep -o 'mv-[0-9a-f]*')");
      on_host("ip link set $(ip -o link show type macvlan | grep -o 'mv-[0-9a-f]*') down");
    }
    if (network.driver != Driver::kBridge) continue;
    if (model.in_use(name)) {
      const auto port = fmt::format(
          R"($(ip -o link show master {} | sed -n "1s/^[0-9]*: \([^@]*\)@.*/\1/p"))", device);
      for (const auto* command :
           {"ip link del {}", "ip link set {} nomaster", "ip link set {} down"})
        on_host(fmt::format(fmt::runtime(command), port));
    }
    if (!network.managed) continue;
    if (network.leads_out(Family::kV4))
      on_host(fmt::format("sysctl -qw net.ipv4.conf.{}.route_localnet=0", device));
    if (!network.given) {
      on_host(fmt::format("sysctl -qw net.ipv6.conf.{}.accept_ra=2", device));
      on_host("ip link del " + device);
      on_host("ip link set " + device + " down");
      on_host("ip link set " + device + " mtu 1400");
    }
    for (const auto& subnet : network.subnets)
      on_host(
          fmt::format("ip addr del {}/{} dev {}", nth(subnet, 1).str(), subnet.prefix(), device));
    on_host(fmt::format("nft flush set inet berth {}",
                        network.subnet(Family::kV4) ? "hairpin4" : "hairpin6"));
  }
  if (table) {
    on_host("nft flush ruleset");
    on_host("nft delete table inet berth");
    on_host("nft flush chain inet berth forward");
    on_host("nft flush map inet berth publish4");
  }
  for (const auto family : {Family::kV4, Family::kV6})
    if (family == Family::kV4 ? model.forwards(family) : model.translator_needed())
      on_host(family == Family::kV4 ? "sysctl -qw net.ipv4.ip_forward=0"
                                    : "sysctl -qw net.ipv6.conf.all.forwarding=0");
  if (model.translator_needed()) {
    on_host("ip link del berth64");
    on_host("tc filter del dev berth46 egress");
  }
  for (const auto& [name, box] : model.boxes) {
    const auto in_box = [&, &name = name](const std::string& command) {
      all.push_back({command, name});
    };
    for (const auto family : {Family::kV4, Family::kV6})
      if (model.way_out(box, family))
        in_box(family == Family::kV4 ? "ip route del default" : "ip -6 route del default");
    if (!box.foreign) in_box("ip link set lo down");
    for (const auto& each : box.connections) {
      in_box("ip link del " + each.ifname);
      in_box("ip link set " + each.ifname + " down");
      in_box(fmt::format("sysctl -qw net.ipv6.conf.{}.disable_ipv6={:d}", each.ifname,
                         each.ip6.has_value()));
      if (each.ip4) in_box("ip addr flush dev " + each.ifname + " scope global");
      for (const auto& route : kind(each.network).routes)
        in_box(fmt::format(
            "ip route del {}{}",
            route.kind == RouteKind::kUnicast ? "" : std::string(berth::name(route.kind)) + " ",
            route.destination.str()));
    }
  }
  return all;
}

Step Steps::reconcile() {
  Step step{.name = "reconcile",
            .act = [](Engine& engine) -> Status {
              for (const auto& repair : TRY(engine.reconcile()))
                if (!repair.status)
                  return std::unexpected(in_context(repair.status.error(), "{}", repair.what));
              return {};
            },
            .halfway = Step::Halfway::kRepeated};
  std::vector<Damage> chosen;
  for (int i = below(3); i >= 0; --i) {
    const auto all = possible_damage(model_);
    if (all.empty()) break;
    const auto& damage = one_of(all);
    step.name +=
        fmt::format("; before: {}{}{}", damage.box, damage.box.empty() ? "" : ": ", damage.command);
    chosen.push_back(damage);
  }
  step.damage = [chosen, this] {
    for (const auto& each : chosen) {
      // The second of two may find nothing left to do harm to.
      if (each.box.empty()) {
        (void)shell(each.command);
        continue;
      }
      const auto path = must(place_.instance->sandbox(place_.target(each.box))).netns_path;
      (void)shell(fmt::format("nsenter --net={} sh -c '{}'", path, each.command));
    }
  };
  return step;
}

}  // namespace berth::testing::random
