// The one way berth reports failure: values, never exceptions.
//
// An Error holds one sentence for a person (what was asked, what is wrong, what is allowed; the
// kernel's own message when it spoke) and a kind for a program to act on. Errors are cheap to move
// and own their text.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace berth {

/// What a caller can do about it; the sentence says what happened.
enum class ErrorKind : std::uint8_t {
  kInvalid,      ///< the request itself is wrong: change it
  kNotFound,     ///< what it names is not there
  kExists,       ///< what it would make is there already
  kInUse,        ///< something still needs what it would take or remove
  kExhausted,    ///< nothing left to give out: addresses, ports, subnets
  kPermission,   ///< a capability is missing
  kUnsupported,  ///< the running kernel or this build cannot do it
  kKernel,       ///< the kernel refused for another reason; see `sys`
  kIo,           ///< a file, socket or process failed; see `sys`
  kCorrupt,      ///< stored state that cannot be read
};

struct Error {
  ErrorKind kind = ErrorKind::kIo;
  std::string message;  ///< one sentence, no trailing newline
  int sys = 0;          ///< errno where a system call failed, else 0
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

}  // namespace berth
