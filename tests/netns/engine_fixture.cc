#include "engine_fixture.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "engine/ids.h"
#include "kernel/sysctl/sysctl.h"
#include "plan/json.h"
#include "translator/translator.h"

namespace berth::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// What a picture leaves out, wherever in the tools' output it stands.
const std::set<std::string> kVolatile = {"ifindex",
                                         "link_index",
                                         "link",
                                         "link_netnsid",
                                         "operstate",
                                         "handle",
                                         "metainfo",
                                         "gc_timer",
                                         "hello_timer",
                                         "tcn_timer",
                                         "topology_change_timer",
                                         "valid_life_time",
                                         "preferred_life_time",
                                         "root_port",
                                         "root_path_cost",
                                         "topology_change",
                                         "topology_change_detected",
                                         "tso_max_size",
                                         "tso_max_segs",
                                         "gso_max_size",
                                         "gso_max_segs",
                                         "gro_max_size",
                                         "cookie"};
const std::set<std::string> kVolatileFlags = {"NO-CARRIER", "LOWER_UP", "M-DOWN", "linkdown"};

bool is_flag_list(const std::string& key) {
  return key == "flags";
}

void strip(json& value) {
  if (value.is_array())
    for (auto& each : value) strip(each);
  if (!value.is_object()) return;
  for (auto it = value.begin(); it != value.end();) {
    if (kVolatile.contains(it.key())) {
      it = value.erase(it);
      continue;
    }
    if (is_flag_list(it.key()) && it->is_array()) {
      json kept = json::array();
      for (const auto& flag : *it)
        if (!flag.is_string() || !kVolatileFlags.contains(flag.get<std::string>()))
          kept.push_back(flag);
      *it = kept;
    } else {
      strip(*it);
      if (it.key() == "elem" && it->is_array())
        std::sort(it->begin(), it->end());  // hashed with a random seed
    }
    ++it;
  }
}

// Of a bridge port, what berth sets; the rest is the bridge's own bookkeeping.
void strip_link(json& link) {
  if (!link.contains("ifname")) return;
  link.erase("qdisc");  // stays as it is once the link has been up
  if (link.contains("addr_info"))
    std::erase_if(link["addr_info"].get_ref<json::array_t&>(),
                  [](const json& each) { return each["scope"] == "link"; });
  if (link["ifname"].get<std::string>().starts_with("veth")) link.erase("address");
  if (link.contains("linkinfo") && link["linkinfo"].contains("info_slave_data")) {
    const auto port = link["linkinfo"]["info_slave_data"];
    link["linkinfo"]["info_slave_data"] = {{"isolated", port.value("isolated", false)},
                                           {"hairpin", port.value("hairpin", false)},
                                           {"locked", port.value("locked", false)}};
  }
}

// The translator stays until the last network goes, whoever needed it: World::look says when it is
// there, and what it consists of is tested by itself (translator_packets_test.cc).
bool is_translators(const json& each) {
  const auto device = each.value("ifname", each.value("dev", ""));
  return device == translator::kDevice4 || device == translator::kDevice6;
}

std::string conf_sysctls() {
  std::string text;
  std::error_code error;
  std::set<std::string> files;
  for (const auto* family : {"/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"})
    for (const auto& entry : fs::recursive_directory_iterator(family, error))
      if (entry.is_regular_file(error) &&
          !is_translators({{"dev", entry.path().parent_path().filename().string()}}))
        files.insert(entry.path());
  for (const auto& file : files) {
    std::string value;
    std::getline(std::ifstream(file), value);
    text += file.substr(file.find("ipv")) + " = " + value + "\n";
  }
  return text + "ip_forward = " + ip_forward() + "\n";
}

// Link-local, multicast and anycast routes come when the kernel finds the time, as the addresses do
// and as forwarding is switched.
bool is_kernels_ipv6_route(const json& each) {
  const auto to = each.value("dst", "");
  return to.starts_with("fe80:") || to.starts_with("ff00:") || each.value("type", "") == "anycast";
}

// What ip(8) and nft(8) list, each as JSON: links, addresses, routes, nft. One run of each: what a
// picture costs is processes.
constexpr std::array kTitles = {"links", "addresses", "routes", "nft"};
std::array<json, kTitles.size()> listings() {
  static const std::string questions = [] {
    const auto path = scratch_dir() + "/look";
    std::ofstream(path) << "link show\naddr show\nroute show table all\n";
    return path;
  }();
  std::istringstream answers(
      shell("ip -j -d -batch " + questions + " && nft -j list ruleset").output);
  std::array<json, kTitles.size()> listed;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    std::string line;
    std::getline(answers, line);
    listed[i] = json::parse(line, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(listed[i].is_discarded()) << kTitles[i] << ": " << line;
  }
  return listed;
}

bool is_up(const json& link) {
  return std::ranges::find(link["flags"], "UP") != link["flags"].end();
}

// Whether each IPv6 address of a link that is up has its local route. The kernel adds that from a work
// queue, after the request for the address has been answered, without duplicate address detection as
// well (addrconf_dad_start in net/ipv6/addrconf.c).
bool has_local_routes(const json& links, const json& routes) {
  std::set<std::string> local;
  for (const auto& route : routes)
    if (route.value("type", "") == "local") local.insert(route.value("dst", ""));
  for (const auto& link : links) {
    if (!link.contains("addr_info") || !is_up(link)) continue;
    for (const auto& address : link["addr_info"])
      if (address.value("family", "") == "inet6" && !address.value("tentative", false) &&
          !local.contains(address.value("local", "")))
        return false;
  }
  return true;
}

std::string look() {
  auto answers = listings();
  constexpr std::chrono::milliseconds kStep{10}, kLongest{2000};
  for (auto waited = kStep; !has_local_routes(answers[1], answers[2]) && waited < kLongest;
       waited += kStep) {
    std::this_thread::sleep_for(kStep);
    answers = listings();
  }
  std::string text;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const bool is_nft = answers[i].is_object();
    json listed = json::array();
    for (auto& each : is_nft ? answers[i]["nftables"] : answers[i]) {
      if (!is_nft && is_translators(each)) continue;
      strip_link(each);
      strip(each);
      if (!each.empty() && !is_kernels_ipv6_route(each)) listed.push_back(each);
    }
    if (!is_nft) std::sort(listed.begin(), listed.end());  // they come in the order of their making
    text += fmt::format("== {}\n{}\n", kTitles[i], listed.dump(1));
  }
  return text + "== sysctls\n" + conf_sysctls();
}

// The names of the files below `directory`, and what is in the short ones.
std::string files_in(const std::string& directory) {
  std::set<std::string> lines;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(directory, error)) {
    if (entry.is_directory(error) && fs::path(directory) == entry.path().parent_path()) continue;
    std::ostringstream content;
    if (entry.is_regular_file(error) && entry.file_size(error) > 0)
      content << std::ifstream(entry.path()).rdbuf();
    lines.insert(entry.path().string().substr(directory.size()) + ": " + content.str());
  }
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

int next_number() {
  static int count = 0;
  return count++;
}

Finished shell_in(const kernel::Netns* netns, const std::string& command) {
  if (netns == nullptr) return shell(command);
  Finished finished;
  must(kernel::run_status_in(*netns, [&]() -> Status {
    finished = shell(command);
    return {};
  }));
  return finished;
}

Config new_config() {
  const auto base = fmt::format("{}/berth{}-{}", scratch_dir(), getpid(), next_number());
  Config config;
  config.root = base + "/root";
  config.run = base + "/run";
  return config;
}

}  // namespace

void become_new_host() {
  ASSERT_EQ(unshare(CLONE_NEWNET), 0);
  auto route = must(kernel::Socket::open(NETLINK_ROUTE));
  must(route.request(kernel::set_link_up(ifname("lo"), true)));
}

EngineTest::EngineTest() {
  become_new_host();
}

Instance::Instance() : config_(new_config()), engine_(must(Engine::open(config_))) {}

std::map<std::string, std::string> Instance::stored() {
  std::map<std::string, std::string> all;
  must(impl().store->scan("", [&](std::string_view key, std::string_view value) {
    if (key != "last-change") all.emplace(key, value);  // another one each time
    return true;
  }));
  return all;
}

Network Instance::make_network(int number, const std::function<void(CreateNetwork&)>& change) {
  CreateNetwork request{
      .name = fmt::format("net{}", number), .subnets = {}, .labels = {}, .options = {}};
  request.subnets.push_back(
      {.subnet = cidr(fmt::format("10.{}.0.0/24", number)), .range = {}, .gateway = {}, .aux = {}});
  request.options["com.docker.network.bridge.name"] = fmt::format("br{}", number);
  if (change) change(request);
  return must(engine_.create_network(request));
}

TargetNs::TargetNs() : TargetNs(fmt::format("{}/target{}", scratch_dir(), next_number())) {}

TargetNs::TargetNs(std::string at) : path(std::move(at)), netns(must(kernel::Netns::create(path))) {
  must(route.request(kernel::set_link_up(ifname("lo"), true)));
}

json json_of(const std::string& command, const kernel::Netns* netns) {
  const auto finished = shell_in(netns, command);
  EXPECT_EQ(finished.status, 0) << command << ": " << finished.output;
  if (finished.output.empty()) return json::array();  // `ip -j` prints nothing for nothing
  auto parsed = json::parse(finished.output, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(parsed.is_discarded()) << command << ": " << finished.output;
  return parsed;
}

void run(const std::string& command, const kernel::Netns* netns) {
  const auto finished = shell_in(netns, command);
  EXPECT_EQ(finished.status, 0) << command << ": " << finished.output;
}

std::string kernel_state(const kernel::Netns* netns) {
  if (netns == nullptr) return look();
  std::string text;
  must(kernel::run_status_in(*netns, [&]() -> Status {
    text = look();
    return {};
  }));
  return text;
}

std::string picture(Instance& instance, const std::vector<TargetNs*>& targets) {
  auto text = kernel_state();
  for (auto* target : targets)
    text += "==== " + target->target() + "\n" + kernel_state(&target->netns);
  text += "==== store\n";
  for (const auto& [key, value] : instance.stored()) text += key + " = " + value + "\n";
  return text + "==== files\n" + files_in(instance.config().run);
}

void expect_same(const std::string& now, const std::string& before) {
  if (now == before) return;
  const auto lines = [](const std::string& text) {
    std::map<std::string, int> count;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) ++count[line];
    return count;
  };
  auto extra = lines(now);
  for (const auto& [line, count] : lines(before)) extra[line] -= count;
  std::string difference;
  for (const auto& [line, count] : extra) {
    if (count == 0) continue;
    difference += fmt::format("{} {}\n", count > 0 ? "now   " : "before", line);
  }
  ADD_FAILURE() << "not as before:\n" << (difference.empty() ? "the order\n" : difference);
}

namespace {

// It goes with the last network.
bool translator_stands_alone(engine::State& state, const kernel::Socket& route) {
  for (const auto& network : must(state.networks()))
    if (must(state.realised(network))) return false;
  return must(translator::is_there(route));
}

}  // namespace

void expect_agreement(Instance& instance, const std::set<std::string>& others) {
  auto& impl = instance.impl();
  for (const auto& repair : must(instance->reconcile()))
    ADD_FAILURE() << "repaired " << repair.what;

  std::set<std::string> expected = others, links, keys;
  expected.insert("lo");
  engine::Draft look(*impl.store);
  for (const auto& network : must(look.state.networks())) {
    if (must(look.state.realised(network))) {
      if (network.driver == Driver::kBridge && network.bridge.device.str() != kGivenBridge)
        expected.insert(network.bridge.device.str());
      if (network.parent.host_access) expected.insert(network.parent.host_device.str());
    }
    for (const auto& address : network.parent.host_addresses)
      keys.insert(fmt::format("lease/{}/{}/{}", network.id, address.ip().is_v4() ? 4 : 6,
                              engine::hex(address.ip().bytes())));
    for (const auto& endpoint : must(look.state.endpoints_of_network(network.id))) {
      if (!endpoint.host_ifname.empty()) expected.insert(endpoint.host_ifname.str());
      keys.insert("endpoint/" + endpoint.id);
      for (const auto& address : addresses_of(endpoint))
        keys.insert(fmt::format("lease/{}/{}/{}", network.id, address.ip().is_v4() ? 4 : 6,
                                engine::hex(address.ip().bytes())));
      for (const auto& mapping : engine::all_ports(endpoint))
        if (mapping.host_port != 0)
          keys.insert(fmt::format("port/{}/{:05}/{} on {}", name(mapping.protocol),
                                  mapping.host_port, endpoint.id,
                                  engine::hex(mapping.host_ip.bytes())));
      for (const auto& link : endpoint.asked.links)
        keys.insert(fmt::format("link/{}/{}", link.substr(0, link.find(':')), endpoint.id));
      const auto sandbox = must(look.state.sandbox(endpoint.sandbox_id));
      EXPECT_NE(std::ranges::find(sandbox.endpoints, endpoint.id), sandbox.endpoints.end());
    }
  }
  auto route = must(kernel::Socket::open(NETLINK_ROUTE));
  if (translator_stands_alone(look.state, route)) ADD_FAILURE() << "a translator and no network";
  for (const auto& link : must(kernel::list_links(route)))
    if (link.name.str() != kParent && link.name.str() != kGivenBridge &&
        (link.kind.empty() || link.kind == "bridge" || link.kind == "veth" ||
         link.kind == "macvlan"))
      links.insert(link.name.str());
  for (const auto name : {translator::kDevice4, translator::kDevice6})
    links.erase(std::string(name));
  EXPECT_EQ(links, expected);

  EXPECT_TRUE(must(instance.impl().journal.empty()));
  std::set<std::string> stored;
  for (const auto& [key, value] : instance.stored()) {
    for (const auto* kind : {"endpoint/", "lease/", "link/"})
      if (key.starts_with(kind)) stored.insert(key);
    if (!key.starts_with("port/")) continue;
    std::istringstream addresses(value);
    for (std::string each; addresses >> each;) stored.insert(key + " on " + each);
  }
  EXPECT_EQ(stored, keys);
}

plan::Plan journalled_plan(engine::Instance& impl) {
  return must(plan::from_json(json::parse(must(impl.journal.read())->text).at("plan").dump()));
}

std::vector<PortSpec> ports(const std::vector<std::string>& specs) {
  std::vector<PortSpec> parsed;
  for (const auto& spec : specs) parsed.push_back(must(parse_port_spec(spec)));
  return parsed;
}

std::string ip_forward() {
  return must(kernel::read_sysctl("net.ipv4.ip_forward"));
}

void expect_refused(const Error& error, ErrorKind kind, const std::vector<std::string>& said) {
  EXPECT_EQ(error.kind, kind) << error.message;
  for (const auto& part : said)
    EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
  EXPECT_FALSE(error.message.ends_with('.')) << error.message;
  const auto stop = error.message.find(". ");  // nft's " . " is no end of a sentence
  EXPECT_TRUE(stop == std::string::npos || error.message[stop - 1] == ' ') << error.message;
}

}  // namespace berth::testing
