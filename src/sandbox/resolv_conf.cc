#include "sandbox/resolv_conf.h"

#include <algorithm>
#include <cctype>

#include "base/result.h"
#include "sandbox/files.h"

namespace berth::sandbox {
namespace {

const Ip kResolvedStub = Ip::v4(127, 0, 0, 53);  // systemd-resolved.service(8)

std::vector<std::string> words(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  std::vector<std::string> result;
  while (true) {
    const auto begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return result;
    const auto end = std::min(line.find_first_of(kBlank, begin), line.size());
    result.emplace_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

void parse_line(std::string_view line, ResolvConf& conf) {
  if (line.starts_with('#') || line.starts_with(';')) return;
  auto fields = words(line);
  if (fields.empty()) return;
  const std::string directive = fields.front();
  fields.erase(fields.begin());
  if (directive == "nameserver") {
    if (!fields.empty()) conf.nameservers.emplace_back(fields.front());
  } else if (directive == "search" || directive == "domain") {
    if (!fields.empty()) conf.search = std::move(fields);
  } else if (directive == "options") {
    std::ranges::move(fields, std::back_inserter(conf.options));
  } else {
    conf.other.emplace_back(line);
  }
}

void add_list(std::string_view directive, const std::vector<std::string>& list, std::string& text) {
  if (list.empty()) return;
  text += directive;
  for (const auto& word : list) {
    text += ' ';
    text += word;
  }
  text += '\n';
}

ResolvConf with_overrides(ResolvConf conf, const DnsOverrides& overrides) {
  if (!overrides.nameservers.empty())
    conf.nameservers.assign(overrides.nameservers.begin(), overrides.nameservers.end());
  if (!overrides.options.empty()) conf.options = overrides.options;
  if (!overrides.search.empty()) {
    conf.search = overrides.search;
    std::erase(conf.search, ".");
  }
  return conf;
}

}  // namespace

NameServer::NameServer(std::string word) : text(std::move(word)) {
  if (const auto address = Ip::parse(text)) *this = *address;
}

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    parse_line(text.substr(0, end), conf);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return conf;
}

std::string to_text(const ResolvConf& conf) {
  std::string text;
  for (const auto& server : conf.nameservers) text += fmt::format("nameserver {}\n", server.text);
  add_list("search", conf.search, text);
  add_list("options", conf.options, text);
  for (const auto& line : conf.other) text += line + '\n';
  return text;
}

Result<DnsOverrides> parse_dns_overrides(const std::vector<std::string>& nameservers,
                                         const std::vector<std::string>& search,
                                         const std::vector<std::string>& options) {
  DnsOverrides overrides;
  for (const auto& text : nameservers) {
    const auto ip = Ip::parse(text);
    if (!ip) return fail(ErrorKind::kInvalid, "--dns '{}': give an IPv4 or IPv6 address", text);
    overrides.nameservers.push_back(*ip);
  }
  for (const auto& domain : search) {
    const bool allowed = !domain.empty() && std::ranges::all_of(domain, [](unsigned char byte) {
      return std::isalnum(byte) || byte == '-' || byte == '_' || byte == '.';
    });
    if (!allowed)
      return fail(ErrorKind::kInvalid,
                  "--dns-search '{}': give a domain of letters, digits, '-', '_' and '.', or '.' "
                  "for none",
                  domain);
    overrides.search.push_back(domain);
  }
  for (const auto& option : options) {
    // A blank or the end of the line would begin another option or directive.
    const bool allowed =
        !option.empty() && std::ranges::all_of(option, [](unsigned char c) { return c > ' '; });
    if (!allowed)
      return fail(ErrorKind::kInvalid,
                  "--dns-opt '{}': give one option of resolv.conf, like ndots:2, without blanks",
                  option);
    overrides.options.push_back(option);
  }
  return overrides;
}

ResolvConf for_host_network(const ResolvConf& host, const DnsOverrides& overrides) {
  return with_overrides(host, overrides);
}

ResolvConf for_sandbox(const ResolvConf& host, const DnsOverrides& overrides, bool ipv6) {
  auto conf = with_overrides(host, overrides);
  if (!overrides.nameservers.empty()) return conf;
  std::erase_if(conf.nameservers, [&](const NameServer& server) {
    return !server.ip || server.ip->is_loopback() || (!server.ip->is_v4() && !ipv6);
  });
  if (conf.nameservers.empty()) {
    conf.nameservers = {Ip::v4(8, 8, 8, 8), Ip::v4(8, 8, 4, 4)};
    if (ipv6) {
      for (const auto* text : {"2001:4860:4860::8888", "2001:4860:4860::8844"}) {
        conf.nameservers.emplace_back(std::string(text));
      }
    }
  }
  return conf;
}

Result<ResolvConf> read_host_resolv_conf(const std::string& path, const std::string& behind_stub) {
  auto conf = parse_resolv_conf(TRY(read_text(path)));
  if (conf.nameservers == std::vector<NameServer>{kResolvedStub}) {
    conf = parse_resolv_conf(TRY(read_text(behind_stub)));
  }
  return conf;
}

}  // namespace berth::sandbox
