// Attaching a namespace to a bridge network with one published port, as a process: `berth network
// connect` against netavark's setup and the CNI chain bridge + portmap, each into a namespace of
// its own, in turns. And how many rules the kernel has to go through with 1 and with 1,000 ports.

#include <array>
#include <cstdio>
#include <functional>

#include "harness.h"
#include "kernel/nft/connection.h"
#include "peers.h"

namespace berth::bench {
namespace {

struct Contender {
  std::string name;
  std::function<void(const Attachment&)> add, remove;
  Samples adding, removing;
};

std::vector<Contender> contenders(const Berth& berth, const Peers& peers) {
  std::vector<Contender> all;
  all.push_back({.name = "berth",
                 .add =
                     [&](const Attachment& to) {
                       berth({"network", "connect", "-p", fmt::format("{}:8080", to.host_port),
                              "bench", "netns:" + to.netns});
                     },
                 .remove =
                     [&](const Attachment& from) {
                       berth({"network", "disconnect", "bench", "netns:" + from.netns});
                     },
                 .adding = {},
                 .removing = {}});
  if (peers.netavark)
    all.push_back({.name = peers.netavark->version,
                   .add = [&](const Attachment& to) { run(peers.netavark->setup(to)); },
                   .remove = [&](const Attachment& from) { run(peers.netavark->teardown(from)); },
                   .adding = {},
                   .removing = {}});
  if (peers.cni)
    all.push_back({.name = peers.cni->version,
                   .add = [&](const Attachment& to) { peers.cni->add(to); },
                   .remove = [&](const Attachment& from) { peers.cni->remove(from); },
                   .adding = {},
                   .removing = {}});
  return all;
}

// Who goes first changes with every round.
void measure_round(std::vector<Contender>& all, std::size_t round) {
  std::vector<Attachment> attachments;
  for (std::size_t i = 0; i < all.size(); ++i)
    attachments.push_back({.id = fmt::format("c{}x{}", round, i),
                           .netns = make_netns(fmt::format("c{}x{}", round, i)),
                           .address = Netavark::address(2),
                           .host_port = static_cast<std::uint16_t>(9001 + i)});
  for (std::size_t turn = 0; turn < all.size(); ++turn) {
    const auto i = (round + turn) % all.size();
    all[i].adding.add(milliseconds([&] { all[i].add(attachments[i]); }));
  }
  for (std::size_t turn = 0; turn < all.size(); ++turn) {
    const auto i = (round + turn) % all.size();
    all[i].removing.add(milliseconds([&] { all[i].remove(attachments[i]); }));
    remove_netns(attachments[i].netns);
  }
}

Json measure_processes(const Berth& berth, const Peers& peers, int rounds) {
  auto all = contenders(berth, peers);
  const Command version = berth.command({"--version"});
  Samples start_up;
  for (int round = 0; round < rounds; ++round) {
    start_up.add(milliseconds([&] { run(version); }));
    measure_round(all, static_cast<std::size_t>(round));
  }

  fmt::print("\none process, one published port: milliseconds, median of {}\n", rounds);
  fmt::print("{:<34}{:>10}{:>10}{:>14}{:>14}\n", "", "attach", "detach", "attach ratio",
             "detach ratio");
  auto results = Json::array();
  for (const auto& each : all) {
    fmt::print("{:<34}{:>10.2f}{:>10.2f}{:>14.2f}{:>14.2f}\n", each.name, each.adding.median(),
               each.removing.median(), ratio(each.adding, all[0].adding),
               ratio(each.removing, all[0].removing));
    results.push_back({{"who", each.name},
                       {"attach", each.adding.json()},
                       {"detach", each.removing.json()},
                       {"attach_ratio_to_berth", ratio(each.adding, all[0].adding)},
                       {"detach_ratio_to_berth", ratio(each.removing, all[0].removing)}});
  }
  fmt::print("{:<34}{:>10.2f}\n", "of which berth's start (--version)", start_up.median());
  std::fflush(stdout);
  return {{"processes", results}, {"berth_start", start_up.json()}};
}

std::size_t rules_in_kernel() {
  auto connection = must(nft::Connection::open());
  std::size_t rules = 0;
  for (const auto& [name, chain] : must(connection.read_table("berth")).chains)
    rules += chain.rules.size();
  return rules;
}

Json count_rules(const Berth& berth) {
  auto results = Json::array();
  for (const int ports : {1, 1000}) {
    const auto netns = make_netns(fmt::format("ports{}", ports));
    berth({"network", "connect", "-p", fmt::format("{0}-{1}:{0}-{1}", 20000, 20000 + ports - 1),
           "bench", "netns:" + netns});
    const auto rules = rules_in_kernel();
    fmt::print("rules in the kernel with {:>4} published ports: {}\n", ports, rules);
    results.push_back({{"ports", ports}, {"rules", rules}});
    berth({"network", "disconnect", "bench", "netns:" + netns});
    remove_netns(netns);
  }
  return results;
}

void run_all(const Options& options) {
  const auto peers = find_peers();
  const Berth berth(options.berth);
  auto results = measure_processes(berth, peers, options.quick ? 10 : 30);
  results["rules"] = count_rules(berth);
  berth({"system", "reset", "-f"});
  write_results(options, results);
}

}  // namespace
}  // namespace berth::bench

int main(int argc, char** argv) {
  const auto options = berth::bench::parse_options(argc, argv);
  berth::bench::enter_private_namespaces();
  berth::bench::run_all(options);
}
