#include "frontends/cli/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace berth::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds

// Ports of one host address and protocol that keep their number: first to last.
struct PortRun {
  std::string host;
  Protocol protocol;
  Port first, last;

  [[nodiscard]] std::string text() const {
    const auto ports = first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
    return fmt::format("{}:{}->{}/{}", host, ports, ports, name(protocol));
  }
};

std::string host_text(const Ip& ip) {
  return ip.is_v4() ? ip.str() : "[" + ip.str() + "]";
}

}  // namespace

std::string human_duration(std::int64_t nanoseconds) {
  const auto seconds = nanoseconds / kSecond;
  const auto minutes = seconds / 60;
  // Hours are rounded, as the source has it.
  const auto hours = (nanoseconds + 1800 * kSecond) / (3600 * kSecond);
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", hours / 24 / 365);
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1000.0 && unit + 1 < kUnits.size(); ++unit) size /= 1000.0;
  return fmt::format("{:.4g}{}", size, kUnits[unit]);
}

std::string go_time(std::int64_t time) {
  const std::time_t seconds = time / kSecond;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} +0000 UTC", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string status_text(const Sandbox& sandbox, std::int64_t now) {
  switch (sandbox.state) {
    case SandboxState::kCreated:
      return "Created";
    case SandboxState::kRunning:
      return "Up " + human_duration(now - sandbox.started);
    case SandboxState::kExited:
      return fmt::format("Exited ({}) {} ago", sandbox.exit_code,
                         human_duration(now - sandbox.finished));
  }
  return "";
}

std::string command_text(std::span<const std::string> argv) {
  std::string out;
  for (const auto& argument : argv) {
    if (!out.empty()) out += ' ';
    const bool has_blank = argument.find(' ') != std::string::npos;
    out += has_blank && &argument != argv.data() ? "'" + argument + "'" : argument;
  }
  return out;
}

std::string host_port(const PortMapping& port) {
  const auto number = port.host_port == 0 ? "" : fmt::format("{}", port.host_port);
  return fmt::format("{}:{}", host_text(port.host_ip), number);
}

std::string ports_text(std::vector<PortMapping> ports) {
  std::ranges::sort(ports, {}, [](const PortMapping& port) {
    return std::tuple(port.container_port, port.host_ip.str(), port.host_port, port.protocol);
  });
  std::vector<PortRun> open;  // one of each host address and protocol may still grow
  std::vector<std::string> texts;
  std::vector<std::string> moved;  // ports that change their number come last, one by one
  for (const auto& port : ports) {
    const auto number = port.container_port;
    if (port.host_port == 0) {
      auto text = fmt::format("{}/{}", number, name(port.protocol));
      if (std::ranges::find(moved, text) == moved.end()) moved.push_back(std::move(text));
      continue;
    }
    if (port.host_port != number) {
      moved.push_back(fmt::format("{}->{}/{}", host_port(port), number, name(port.protocol)));
      continue;
    }
    const auto host = host_text(port.host_ip);
    const auto run = std::ranges::find_if(open, [&](const PortRun& other) {
      return other.host == host && other.protocol == port.protocol;
    });
    if (run == open.end()) {
      open.push_back({host, port.protocol, number, number});
    } else if (number == run->last + 1) {
      run->last = number;
    } else {
      texts.push_back(run->text());
      run->first = run->last = number;
    }
  }
  for (const auto& run : open) texts.push_back(run.text());
  texts.insert(texts.end(), moved.begin(), moved.end());
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::size_t display_width(std::string_view text) {
  // Every byte that is no continuation of a UTF-8 character (RFC 3629: 10xxxxxx) begins one.
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string shortened(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::size_t end = 0;
  for (std::size_t characters = 0; end < text.size(); ++end) {
    if ((text[end] & 0xc0) != 0x80 && ++characters == width) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string short_id(std::string_view id) {
  return std::string(id.substr(0, 12));
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace berth::cli
