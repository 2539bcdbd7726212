// One HTTP request over a Unix socket, by libcurl.
//
// libcurl brings some thirty shared libraries with it, which would double the start of every berth
// command; so it is loaded when the first request is made, and berth runs without it.
#pragma once

#include <string>

#include "berth/result.h"

namespace berth::runtimes {

struct Answer {
  long status = 0;  ///< 200, 404, ...
  std::string body;
};

/// GET `path` from the server at `socket`, within a few seconds and megabytes.
[[nodiscard]] Result<Answer> http_get(const std::string& socket, const std::string& path);

}  // namespace berth::runtimes
