#include "frontends/cli/man.h"

#include <fmt/format.h>

#include "frontends/cli/help.h"

namespace berth::cli {
namespace {

// `text` so that roff prints it as it is.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

void add_items(std::string& out, std::string_view heading, std::span<const Parser::Item> items,
               auto&& wanted) {
  bool any = false;
  for (const auto& item : items) {
    if (!wanted(item)) continue;
    if (!any) out += fmt::format(".SH {}\n", heading);
    any = true;
    out += fmt::format(".TP\n.B {}\n{}\n", escaped(spelled(item)), escaped(item.help));
  }
}

std::string upper(std::string text) {
  for (auto& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace

std::string man_name(std::span<const Verb* const> path) {
  auto name = full_name(path);
  for (auto& c : name)
    if (c == ' ') c = '-';
  return name;
}

std::string man_page(std::span<const Verb* const> path) {
  const auto& verb = *path.back();
  const auto items = items_of(verb);
  auto out = fmt::format(".TH {} 1 \"\" \"berth {}\" \"berth\"\n", escaped(upper(man_name(path))),
                         BERTH_VERSION);
  out += fmt::format(".SH NAME\n{} \\- {}\n", escaped(man_name(path)), escaped(verb.summary));
  out += fmt::format(".SH SYNOPSIS\n.nf\n{}\n.fi\n", escaped(usage(path, items)));
  out += fmt::format(
      ".SH DESCRIPTION\n{}\n",
      escaped(verb.details.empty() ? fmt::format("{}.", verb.summary) : std::string(verb.details)));
  if (!verb.aliases.empty()) out += fmt::format(".PP\nAliases: {}\n", escaped(verb.aliases));

  if (verb.is_group()) out += ".SH VERBS\n";
  for (const auto* child : verb.verbs) {
    if (!child->hidden)
      out += fmt::format(".TP\n.BR {}\\-{} (1)\n{}\n", escaped(man_name(path)),
                         escaped(child->name), escaped(child->summary));
  }
  add_items(out, "ARGUMENTS", items, [](const auto& item) { return item.names.empty(); });
  add_items(out, "OPTIONS", items,
            [](const auto& item) { return !item.names.empty() && !item.global; });
  add_items(out, "\"GLOBAL OPTIONS\"", items, [](const auto& item) { return item.global; });
  out += fmt::format(".SH EXAMPLES\n.nf\n{}.fi\n", escaped(verb.examples));
  out += fmt::format(
      ".SH \"EXIT STATUS\"\n{}\n",
      verb.refused == kExitRun
          ? "The command\\(aqs own; 125 when berth refuses, 126 when the command cannot be "
            "executed, "
            "127 when it is not found."
          : "0 when all went well, 1 when berth refuses, 2 when the command line is wrong.");
  if (path.size() == 1) {
    out +=
        ".SH FILES\n.TP\n.B /etc/berth/config.json\nConfiguration: "
        "{\"default\\-address\\-pools\": [{\"base\": \"172.30.0.0/16\", \"size\": 24}]}\n"
        ".TP\n.B /var/lib/berth\nThe store.\n"
        ".TP\n.B /run/berth\nSockets, namespace handles and logs.\n"
        ".SH ENVIRONMENT\n.TP\n.B BERTH_ROOT\nAs \\-\\-root.\n.TP\n.B BERTH_RUN\nAs \\-\\-run.\n"
        ".TP\n.B NO_COLOR\nNo colour on terminals.\n";
  } else {
    out += fmt::format(".SH \"SEE ALSO\"\n.BR {} (1)\n",
                       escaped(man_name(path.first(path.size() - 1))));
  }
  return out;
}

}  // namespace berth::cli
