// Points in time as options take them.
#pragma once

#include <chrono>
#include <string_view>

#include "berth/result.h"

namespace berth::cli {

using Moment = std::chrono::system_clock::time_point;

/// RFC 3339 ("2020-11-03T10:00:05.5Z", "...+02:00"; without a zone: UTC), seconds since 1970
/// ("1604397605"), or an age before `now` ("1h30m", "45s").
[[nodiscard]] Result<Moment> parse_moment(std::string_view option, std::string_view text,
                                          Moment now);

}  // namespace berth::cli
