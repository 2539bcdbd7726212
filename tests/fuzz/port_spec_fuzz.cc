// Fuzzes -p: whatever is accepted must be a set of ports that can be published. See cidr_fuzz.cc for
// how to build and run.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "berth/network.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto spec = berth::parse_port_spec({reinterpret_cast<const char*>(data), size});
  if (!spec) return spec.error().message.empty() ? (std::abort(), 0) : 0;
  const int hosts = spec->host_last - spec->host_first + 1;
  const int containers = spec->container_last - spec->container_first + 1;
  const bool pairs = spec->host_first == 0 || containers == 1 || hosts == containers;
  if (spec->container_first == 0 || containers < 1 || hosts < 1 || !pairs) std::abort();
  return 0;
}
