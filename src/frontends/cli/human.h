// Values as people read them, worded as Docker words them. Times are nanoseconds since the epoch.
// Sources: docker/go-units duration.go and size.go; docker/cli cli/command/formatter/container.go.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/network.h"

namespace berth::cli {

/// "Less than a second", "5 seconds", "About a minute", "3 weeks".
[[nodiscard]] std::string human_duration(std::int64_t nanoseconds);
/// "12.3kB"; powers of 1000, four digits.
[[nodiscard]] std::string human_size(std::uint64_t bytes);
/// "2020-11-03 10:00:05 +0000 UTC", as Go prints a time.
[[nodiscard]] std::string go_time(std::int64_t time);

/// "Up 5 seconds", "Exited (0) 3 minutes ago", "Created".
[[nodiscard]] std::string status_text(const Sandbox& sandbox, std::int64_t now);
/// The argv as one line; an argument with blanks in single quotes.
[[nodiscard]] std::string command_text(std::span<const std::string> argv);
/// "0.0.0.0:12211->8080/tcp, 0.0.0.0:80-82->80-82/tcp": runs of ports that keep their number are
/// one. A port of a routed network, which is none of the host's, is "80/tcp".
[[nodiscard]] std::string ports_text(std::vector<PortMapping> ports);
/// "0.0.0.0:80", "[::]:80"; of a routed network's port "0.0.0.0:", as Docker prints it.
[[nodiscard]] std::string host_port(const PortMapping& port);

/// At most `width` characters, the last an ellipsis where something was cut. Counts UTF-8
/// characters.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t width);
[[nodiscard]] std::size_t display_width(std::string_view text);
/// The first 12 digits of an id.
[[nodiscard]] std::string short_id(std::string_view id);
/// In double quotes, with quotes, backslashes and control bytes escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace berth::cli
