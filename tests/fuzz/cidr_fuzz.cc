// Fuzz target: the parsers of addresses, prefixes, interface names and address pools. Whatever a
// parser accepts, its text has to parse again, to the same value; nothing may crash or overflow.
//
//   clang++-19 -std=gnu++23 -g -fsanitize=fuzzer,address,undefined -Iinclude -Isrc
//     tests/fuzz/cidr_fuzz.cc src/base/{address,ifname,result}.cc src/ipam/{pools,subnet}.cc -lfmt
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "berth/address.h"
#include "berth/ifname.h"
#include "ipam/pools.h"

namespace {

// Aborts unless `text`, if `parse` takes it, survives the way to text and back.
template <typename Parse, typename Write>
void check(std::string_view text, const char* what, Parse parse, Write write) {
  const auto value = parse(text);
  if (!value) {
    if (!value.error().message.empty()) return;
    std::fprintf(stderr, "%s: refused without a sentence\n", what);
    std::abort();
  }
  const std::string written = write(*value);
  if (const auto again = parse(written); again && *again == *value) return;
  std::fprintf(stderr, "%s: '%s' does not parse to the value it was written from\n", what,
               written.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto write = [](const auto& value) { return std::string(value.str()); };
  check(text, "Ip", Ip::parse, write);
  check(text, "Cidr", Cidr::parse, write);
  check(text, "Mac", Mac::parse, write);
  check(text, "IfName", IfName::parse, write);
  check(text, "Pool", parse_address_pool, [](const ipam::Pool& pool) { return ipam::str(pool); });
  return 0;
}
