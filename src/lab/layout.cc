#include "lab/layout.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/json_values.h"
#include "base/result.h"

namespace berth::lab {
namespace {

constexpr std::size_t kMaxName = 63;
constexpr int kPrefix = 24;           // of the lan, 192.0.2.0/24
constexpr int kBeforeFirstHost = 10;  // h1 is 192.0.2.11

bool may_begin(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

Ip gateway() {
  return Ip::v4(192, 0, 2, 1);
}
Ip outside() {
  return Ip::v4(198, 51, 100, 1);
}

std::string Lab::root_of(const std::string& host) const {
  return directory + "/root/" + host;
}
std::string Lab::run_of(const std::string& host) const {
  return directory + "/run/" + host;
}

Status check_name(std::string_view name) {
  const bool is_allowed =
      !name.empty() && name.size() <= kMaxName && may_begin(name.front()) &&
      std::ranges::all_of(name, [](char c) { return c == '-' || may_begin(c); });
  if (is_allowed) return {};
  return fail(ErrorKind::kInvalid,
              "invalid lab name '{}': 1 to {} of the characters a-z, 0-9 and - are allowed, the "
              "first of them not -",
              name, kMaxName);
}

Result<Lab> layout(const LabSpec& spec) {
  TRY(check_name(spec.name));
  if (spec.hosts < 1 || spec.hosts > kMaxHosts)
    return fail(ErrorKind::kInvalid, "a lab of {} hosts cannot be made: 1 to {} are allowed",
                spec.hosts, kMaxHosts);
  if (!spec.directory.starts_with('/'))
    return fail(ErrorKind::kInvalid, "the directory '{}' for labs is not an absolute path",
                spec.directory);
  Lab lab{.name = spec.name, .directory = spec.directory + "/" + spec.name};
  const auto network = Cidr(gateway(), kPrefix).first().number();
  for (int number = 1; number <= spec.hosts; ++number) {
    const auto address = Ip::from_number(
        Ip::Family::kV4, network + static_cast<unsigned>(kBeforeFirstHost + number));
    lab.hosts.push_back({fmt::format("h{}", number), Cidr(address, kPrefix)});
  }
  return lab;
}

std::vector<std::string> places(const Lab& lab) {
  std::vector<std::string> names = {kSwitch};
  for (const auto& host : lab.hosts) names.push_back(host.name);
  return names;
}

std::string to_json(const Lab& lab) {
  auto hosts = nlohmann::ordered_json::array();
  for (const auto& host : lab.hosts)
    hosts.push_back({{"name", host.name}, {"address", host.address.str()}});
  const nlohmann::ordered_json document = {{"name", lab.name},
                                           {"gateway", gateway().str()},
                                           {"outside", outside().str()},
                                           {"hosts", std::move(hosts)}};
  return document.dump(2) + "\n";
}

Result<std::vector<Host>> hosts_from_json(std::string_view text) {
  try {
    const auto document = nlohmann::json::parse(text);
    std::vector<Host> hosts;
    for (const auto& host : document.at("hosts")) {
      auto name = host.at("name").get<std::string>();
      // It becomes part of paths.
      if (const auto allowed = check_name(name); !allowed)
        return fail(ErrorKind::kCorrupt, "'{}' is not the name of a host", name);
      hosts.push_back({std::move(name), host.at("address").get<Cidr>()});
    }
    return hosts;
  } catch (const std::exception& error) {  // nlohmann's, or a Cidr that is none
    return fail(ErrorKind::kCorrupt, "not the description of a lab: {}", error.what());
  }
}

std::string description_file(const Lab& lab) {
  return lab.directory + "/lab.json";
}

Result<UniqueFd> lock(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_sys(errno, "open {}", directory);
  if (TEMP_FAILURE_RETRY(::flock(fd.get(), LOCK_EX)) != 0)
    return fail_sys(errno, "lock {}", directory);
  return fd;
}

}  // namespace berth::lab
