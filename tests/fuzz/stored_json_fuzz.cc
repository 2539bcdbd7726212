// Fuzzes what is read back from the store: documents and plans. Bytes that are none must give an error,
// never an exception or a crash; what is read must be written and read again to the same text.
// See cidr_fuzz.cc for how to build and run.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "model/json.h"
#include "plan/json.h"
#include "plan/render.h"

namespace {

template <typename Read, typename Write>
void round_trip(std::string_view text, Read read, Write write) {
  const auto value = read(text);
  if (!value) return;
  const auto written = write(*value);
  const auto again = read(written);
  if (again && write(*again) == written) return;
  std::fprintf(stderr, "read from: %.*s\nwritten as: %s\nread again: %s\n", int(text.size()),
               text.data(), written.c_str(),
               again ? write(*again).c_str() : again.error().message.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip(text, model::network_from_json, [](const Network& v) { return model::to_json(v); });
  round_trip(text, model::endpoint_from_json, [](const Endpoint& v) { return model::to_json(v); });
  round_trip(text, model::sandbox_from_json, [](const Sandbox& v) { return model::to_json(v); });
  round_trip(text, plan::from_json, [](const plan::Plan& v) { return plan::to_json(v); });
  if (const auto plan = plan::from_json(text)) (void)plan::render(*plan);
  return 0;
}
