// What labs there are, from their directories.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/result.h"
#include "kernel/netns/netns.h"
#include "lab/layout.h"

namespace berth::lab {
namespace {

namespace fs = std::filesystem;

Lab load(const std::string& directory, const std::string& name) {
  Lab lab{.name = name, .directory = directory + "/" + name};
  std::ifstream file(description_file(lab));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto hosts = hosts_from_json(text);
  if (!hosts) return lab;  // not finished
  lab.hosts = std::move(*hosts);
  lab.intact = std::ranges::all_of(places(lab), [&](const std::string& place) {
    return kernel::Netns::open(lab.netns_of(place)).has_value();
  });
  return lab;
}

}  // namespace

Result<std::vector<Lab>> list(const std::string& directory) {
  std::vector<Lab> labs;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  if (error == std::errc::no_such_file_or_directory) return labs;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto name = entry->path().filename().string();
    std::error_code gone_meanwhile;
    if (check_name(name) && entry->is_directory(gone_meanwhile))
      labs.push_back(load(directory, name));
  }
  if (error) return fail_sys(error.value(), "read the directory {}", directory);
  std::ranges::sort(labs, {}, &Lab::name);
  return labs;
}

Result<Lab> find(const std::string& directory, const std::string& name) {
  TRY(check_name(name));
  std::error_code error;
  if (fs::is_directory(directory + "/" + name, error)) return load(directory, name);
  std::string known;
  for (const auto& lab : TRY(list(directory))) known += (known.empty() ? "" : ", ") + lab.name;
  return fail(ErrorKind::kNotFound, "there is no lab '{}' in {}; {}", name, directory,
              known.empty() ? "there are none" : "there are " + known);
}

}  // namespace berth::lab
