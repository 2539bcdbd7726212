// Fuzzes run's --network: what is accepted names a network, and addresses are of their family. See
// cidr_fuzz.cc for how to build and run.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "berth/engine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto attachment = berth::parse_attachment({reinterpret_cast<const char*>(data), size});
  if (!attachment) return attachment.error().message.empty() ? (std::abort(), 0) : 0;
  const auto& options = attachment->options;
  if (attachment->network.empty()) std::abort();
  if (options.ip4 && !options.ip4->is_v4()) std::abort();
  if (options.ip6 && options.ip6->is_v4()) std::abort();
  return 0;
}
