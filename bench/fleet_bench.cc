// Many sandboxes at once: taking 100 down one by one and together, 50 and 100 attaches at the same
// time, and what a sandbox that runs in the background keeps in memory.

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "harness.h"
#include "peers.h"

namespace berth::bench {
namespace {

std::vector<std::string> names(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(fmt::format("s{}", i));
  return all;
}

// `count` namespaces of berth's, each with an endpoint and a published port.
void make_sandboxes(const Berth& berth, int count) {
  for (int i = 0; i < count; ++i) {
    const auto name = fmt::format("s{}", i);
    berth({"sandbox", "create", name});
    berth({"network", "connect", "-p", fmt::format("{}:8080", 10000 + i), "bench", name});
  }
}

Json teardown_row(const char* what, double one_by_one, double together) {
  fmt::print("{:<50}{:>12.0f}{:>12.0f}{:>8.1f}\n", what, one_by_one, together,
             one_by_one / together);
  std::fflush(stdout);
  return {{"what", what},
          {"one_by_one_ms", one_by_one},
          {"together_ms", together},
          {"ratio", one_by_one / together}};
}

Json measure_teardown(const Berth& berth, int count) {
  const auto all = names(count);
  fmt::print("\ntaking down {} sandboxes with a published port each: milliseconds\n", count);
  fmt::print("{:<50}{:>12}{:>12}{:>8}\n", "", "one by one", "together", "ratio");

  make_sandboxes(berth, count);
  const auto one_by_one = milliseconds([&] {
    for (const auto& name : all) berth({"rm", "-f", name});
  });
  make_sandboxes(berth, count);
  std::vector<std::string> together{"rm", "-f"};
  together.insert(together.end(), all.begin(), all.end());
  const auto at_once = milliseconds([&] { berth(together); });
  auto results = Json::array({teardown_row("berth rm -f", one_by_one, at_once)});

  make_sandboxes(berth, count);
  const auto leaving = milliseconds([&] {
    for (const auto& name : all) berth({"network", "disconnect", "bench", name});
  });
  for (int i = 0; i < count; ++i)
    berth({"network", "connect", "-p", fmt::format("{}:8080", 10000 + i), "bench", all[i]});
  const auto removed = milliseconds([&] { berth({"network", "rm", "-f", "bench"}); });
  results.push_back(teardown_row("network disconnect, network rm -f", leaving, removed));
  berth(together);
  return results;
}

// ---- at the same time ---------------------------------------------------------------------------

struct Crowd {
  std::vector<Command> coming, leaving;
  double milliseconds = 0;
  int failed = 0;
};

// All of `coming` at once, until the last is done.
void come(Crowd& crowd) {
  crowd.milliseconds = milliseconds([&] {
    std::vector<pid_t> children;
    for (const auto& command : crowd.coming) children.push_back(start(command));
    for (const auto child : children) crowd.failed += succeeds(child) ? 0 : 1;
  });
}

Json report(const char* who, const Crowd& crowd) {
  fmt::print("{:<12}{:>10}{:>12.0f}{:>10}\n", who, crowd.coming.size(), crowd.milliseconds,
             crowd.failed);
  std::fflush(stdout);
  return {{"who", who},
          {"processes", crowd.coming.size()},
          {"ms", crowd.milliseconds},
          {"failed", crowd.failed}};
}

Crowd crowd_of_berth(const Berth& berth, int count) {
  Crowd crowd;
  std::vector<std::string> rm{"rm", "-f"};
  for (int i = 0; i < count; ++i) {
    const auto target = "netns:" + make_netns(fmt::format("a{}", i));
    crowd.coming.push_back(berth.command(
        {"network", "connect", "-p", fmt::format("{}:8080", 10000 + i), "bench", target}));
    rm.push_back(target);
  }
  crowd.leaving.push_back(berth.command(rm));
  return crowd;
}

Attachment to_netavark(int n) {
  return {.id = fmt::format("b{}", n),
          .netns = make_netns(fmt::format("b{}", n)),
          .address = Netavark::address(2 + n),
          .host_port = static_cast<std::uint16_t>(20000 + n)};
}

Crowd crowd_of_netavark(const Netavark& netavark, int count) {
  Crowd crowd;
  for (int i = 0; i < count; ++i) {
    const auto attachment = to_netavark(i);
    crowd.coming.push_back(netavark.setup(attachment));
    crowd.leaving.push_back(netavark.teardown(attachment));
  }
  return crowd;
}

Json measure_concurrency(const Berth& berth, const Peers& peers, const std::vector<int>& counts) {
  // The networks are there already: berth's was created, netavark makes its with the first
  // container.
  if (peers.netavark) run(peers.netavark->setup(to_netavark(200)));
  fmt::print("\nprocesses that attach at the same time: milliseconds until all are done\n");
  fmt::print("{:<12}{:>10}{:>12}{:>10}\n", "", "processes", "together", "failed");
  auto results = Json::array();
  const auto measure = [&](const char* who, Crowd crowd, const char* prefix) {
    come(crowd);
    results.push_back(report(who, crowd));
    for (const auto& command : crowd.leaving) (void)succeeds(start(command));  // also of who failed
    for (std::size_t i = 0; i < crowd.coming.size(); ++i)
      remove_netns(fmt::format("/run/netns/{}{}", prefix, i));
  };
  for (const int count : counts) {
    measure("berth", crowd_of_berth(berth, count), "a");
    if (peers.netavark) measure("netavark", crowd_of_netavark(*peers.netavark, count), "b");
  }
  return results;
}

// ---- memory -------------------------------------------------------------------------------------

// A number behind `key` in a file of /proc.
long proc_number(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word; file >> word;)
    if (long number = 0; word == key && file >> number) return number;
  die(fmt::format("{} has no {}", path, key));
}

Json measure_memory(const Berth& berth) {
  fmt::print("\nmemory of the helper of a sandbox in the background: KiB (PSS)\n");
  auto results = Json::array();
  for (const int ports : {0, 10}) {
    std::vector<std::string> words{"run", "-d", "--name", "idle", "--network", "bench"};
    for (int i = 0; i < ports; ++i) {
      words.emplace_back("-p");
      words.push_back(fmt::format("{}:{}", 10000 + i, 8080 + i));
    }
    for (const char* word : {"--", "sleep", "1000"}) words.emplace_back(word);
    berth(words);
    auto pid = output_of(berth.command({"inspect", "--format", "{{.State.Pid}}", "idle"}));
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    const auto shim = proc_number("/proc/" + pid + "/status", "PPid:");
    const auto pss = proc_number(fmt::format("/proc/{}/smaps_rollup", shim), "Pss:");
    fmt::print("with {:>2} published ports: {}\n", ports, pss);
    results.push_back({{"ports", ports}, {"pss_kib", pss}});
    berth({"rm", "-f", "idle"});
  }
  return results;
}

void run_all(const Options& options) {
  const auto peers = find_peers();
  const Berth berth(options.berth);
  Json results;
  results["memory"] = measure_memory(berth);
  results["concurrency"] =
      measure_concurrency(berth, peers, options.quick ? std::vector{50} : std::vector{50, 100});
  results["teardown"] = measure_teardown(berth, options.quick ? 30 : 100);  // `bench` goes with it
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
