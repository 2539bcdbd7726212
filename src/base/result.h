// Making and passing on errors. See include/berth/result.h for what an Error is.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "berth/result.h"

namespace berth {

/// An error of `kind` whose sentence is formatted; converts to any Result<T>.
template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> text,
                                          Args&&... args) {
  return std::unexpected(Error{kind, fmt::format(text, std::forward<Args>(args)...), 0});
}

/// An error from a failed system call: "<operation>: <the kernel's words>". EPERM and EACCES become
/// kPermission and name the capability that is missing; ENOENT, ENODEV and ESRCH kNotFound; EEXIST
/// kExists; EBUSY and EADDRINUSE kInUse; EOPNOTSUPP and the like kUnsupported.
/// `kernel_sentence` is NETLINK_EXT_ACK's message where there was one.
[[nodiscard]] Error system_error(int sys, std::string operation,
                                 std::string_view kernel_sentence = {});

template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail_sys(int sys, fmt::format_string<Args...> operation,
                                              Args&&... args) {
  return std::unexpected(system_error(sys, fmt::format(operation, std::forward<Args>(args)...)));
}

/// Puts "<context>: " before the sentence.
template <typename... Args>
[[nodiscard]] Error in_context(Error error, fmt::format_string<Args...> context, Args&&... args) {
  error.message = fmt::format(context, std::forward<Args>(args)...) + ": " + error.message;
  return error;
}

}  // namespace berth

/// TRY(expr): the value of a Result, or return its error from this function. A GNU statement
/// expression, because std::expected of libstdc++ 12 has no and_then and because it reads like code.
#define TRY(...) BERTH_TRY_AS(BERTH_JOIN(try_result_, __COUNTER__), __VA_ARGS__)
#define BERTH_JOIN(a, b) BERTH_JOIN_EXPANDED(a, b)
#define BERTH_JOIN_EXPANDED(a, b) a##b
#define BERTH_TRY_AS(result, ...)                                   \
  ({                                                                \
    auto&& result = (__VA_ARGS__);                                  \
    if (!result) return std::unexpected(std::move(result).error()); \
    *std::move(result);                                             \
  })
