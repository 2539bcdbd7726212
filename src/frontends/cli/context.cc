// The engine's settings from options, environment and configuration file.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/result.h"
#include "frontends/cli/options.h"
#include "frontends/cli/verb.h"

namespace berth::cli {
namespace {

constexpr const char* kDefaultConfig = "/etc/berth/config.json";
constexpr const char* kPoolsKey = "default-address-pools";

// Docker's daemon.json form: [{"base": "172.30.0.0/16", "size": 24}]
Result<std::vector<AddressPool>> pools_from_json(const nlohmann::json& list) {
  std::vector<AddressPool> pools;
  for (const auto& entry : list) {
    for (const auto& [key, value] : entry.items()) {
      if (key != "base" && key != "size")
        return fail(ErrorKind::kInvalid, "{}: unknown key '{}': there are base and size", kPoolsKey,
                    key);
    }
    const auto pool = [&]() -> Result<AddressPool> {
      const AddressPool given{TRY(Cidr::parse(entry.at("base").get<std::string>())),
                              entry.at("size").get<int>()};
      TRY(check(given));
      return given;
    }();
    if (!pool) return std::unexpected(in_context(pool.error(), "{}", kPoolsKey));
    pools.push_back(*pool);
  }
  return pools;
}

Result<std::vector<AddressPool>> pools_of_file(const std::string& path, bool required) {
  errno = 0;
  std::ifstream file(path);
  if (!file) {
    if (!required && errno == ENOENT) return std::vector<AddressPool>();
    return fail_sys(errno, "configuration {}", path);
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    const auto document = nlohmann::json::parse(text);
    for (const auto& [key, value] : document.items()) {
      if (key != kPoolsKey)
        return fail(ErrorKind::kInvalid, "configuration {}: unknown key '{}': there is {}", path,
                    key, kPoolsKey);
    }
    if (!document.contains(kPoolsKey)) return std::vector<AddressPool>();
    auto pools = pools_from_json(document.at(kPoolsKey));
    if (!pools) return std::unexpected(in_context(pools.error(), "configuration {}", path));
    return pools;
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorKind::kInvalid, "configuration {}: {}", path, error.what());
  }
}

std::string or_environment(const std::string& option, const char* variable, std::string fallback) {
  if (!option.empty()) return option;
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : fallback;
}

}  // namespace

Config Context::helper_settings() const {
  Config settings;
  settings.root = or_environment(root, "BERTH_ROOT", settings.root);
  settings.run = or_environment(run, "BERTH_RUN", settings.run);
  settings.docker_host = or_environment({}, "DOCKER_HOST", settings.docker_host);
  return settings;
}

Result<Config> Context::settings() const {
  auto settings = helper_settings();
  if (pools.empty()) {
    settings.pools = TRY(pools_of_file(config.empty() ? kDefaultConfig : config, !config.empty()));
    return settings;
  }
  for (const auto& text : pools) {
    auto pool = parse_address_pool(text);
    if (!pool) return std::unexpected(in_context(pool.error(), "--default-address-pool"));
    settings.pools.push_back(*pool);
  }
  return settings;
}

Result<Engine> Context::open() const {
  return Engine::open(TRY(settings()));
}

Result<Engine> Context::open(const DryRun& dry_run) const {
  auto chosen = TRY(settings());
  chosen.only_plan = dry_run.on;
  return Engine::open(std::move(chosen));
}

}  // namespace berth::cli
