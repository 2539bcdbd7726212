#include "frontends/cli/listing.h"

#include <algorithm>

#include "base/result.h"
#include "frontends/cli/human.h"
#include "frontends/cli/output.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMinWidth = 10;  // characters, the gap included
constexpr std::size_t kGap = 3;
constexpr const char* kLabel = "Label";  // a row's labels, for {{.Label "key"}}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  while (true) {
    const auto tab = line.find('\t');
    cells.emplace_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return cells;
    line.remove_prefix(tab + 1);
  }
}

}  // namespace

Result<Listing> Listing::make(std::string_view format, std::string_view table,
                              const Json& headings) {
  Listing listing;
  if (format == "json") return listing;
  auto text = format;
  if (format.empty() || format == "table") {
    listing.is_table_ = true;
    text = table;
  } else if (format.starts_with("table ")) {
    listing.is_table_ = true;
    text = format.substr(format.find_first_not_of(' ', 5));
  }
  listing.template_ = TRY(Template::parse(text));
  // Also finds out now whether the template names columns that are not there. What fits no heading
  // may well fit a value.
  auto titles = headings;
  titles[kLabel] = nullptr;
  auto heading = listing.template_->render(titles);
  const bool no_column = !heading && heading.error().kind == ErrorKind::kNotFound;
  if (no_column || (listing.is_table_ && !heading)) return std::unexpected(heading.error());
  if (listing.is_table_) listing.lines_.push_back(*std::move(heading));
  return listing;
}

Status Listing::add(Json row, const Labels& labels) {
  if (!template_) {
    lines_.push_back(compact(nlohmann::json(row)));  // a plain object: sorted keys, as Go's maps
    return {};
  }
  row[kLabel] = Json(labels);
  lines_.push_back(TRY(template_->render(row)));
  return {};
}

std::string Listing::text() const {
  if (is_table_) return aligned(lines_);
  std::string out;
  for (const auto& line : lines_) out += line + "\n";
  return out;
}

std::string aligned(const std::vector<std::string>& lines) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    rows.push_back(cells_of(line));
    widths.resize(std::max(widths.size(), rows.back().size()), kMinWidth);
    for (std::size_t i = 0; i < rows.back().size(); ++i)
      widths[i] = std::max(widths[i], display_width(rows.back()[i]) + kGap);
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out += std::string(widths[i] - display_width(row[i]), ' ');
    }
    out += '\n';
  }
  return out;
}

Status print_form(std::string_view format, const Listing::Json& form, std::string_view text) {
  if (format.empty()) {
    print(text);
  } else if (format == "json") {
    print(compact(form) + "\n");
  } else {
    const auto parsed = TRY(Template::parse(format));
    print(TRY(parsed.render(form)) + "\n");
  }
  return {};
}

std::string joined(const std::map<std::string, std::string>& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    if (!out.empty()) out += ',';
    out += key + "=" + value;
  }
  return out;
}

}  // namespace berth::cli
