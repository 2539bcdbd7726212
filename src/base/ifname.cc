#include "berth/ifname.h"

#include <algorithm>

#include "base/result.h"

namespace berth {

Result<IfName> IfName::parse(std::string_view text) {
  if (text.empty() || text.size() > kMaxBytes)
    return fail(ErrorKind::kInvalid,
                "'{}' is not an interface name: it has {} bytes, 1 to {} are allowed", text,
                text.size(), kMaxBytes);
  const bool odd = std::ranges::any_of(text, [](unsigned char byte) {
    return byte <= ' ' || byte == 0x7f || byte == '/' || byte == ':' || byte == '%';
  });
  if (odd || text == "." || text == "..")
    return fail(
        ErrorKind::kInvalid,
        "'{}' is not an interface name: '/', ':', '%', white space, '.' and '..' are not allowed",
        text);
  return IfName(text);
}

}  // namespace berth
