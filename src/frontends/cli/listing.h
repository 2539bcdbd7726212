// Lists as Docker prints them: a table, one line of a template, or one JSON object for each row.
//
// A row is a JSON object of texts; --format says what becomes of it:
//   (none), table   the default table        json      the object, keys in order, one a line
//   table TEMPLATE  a table of these columns  TEMPLATE  one line of it for each row
// Columns are separated by tabs in the template, and aligned as Go's tabwriter does for docker.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/network.h"
#include "berth/result.h"
#include "frontends/cli/template.h"

namespace berth::cli {

class Listing {
 public:
  using Json = Template::Json;

  /// `table` is the template of the default table, `headings` an object with the title of each key.
  [[nodiscard]] static Result<Listing> make(std::string_view format, std::string_view table,
                                            const Json& headings);
  /// `labels` is what {{.Label "key"}} reads; JSON has it in the row alone.
  [[nodiscard]] Status add(Json row, const Labels& labels = {});
  [[nodiscard]] std::string text() const;

 private:
  Listing() = default;
  std::optional<Template> template_;  // none: JSON
  bool is_table_ = false;
  std::vector<std::string> lines_;
};

/// Lines whose cells are separated by tabs, aligned: three blanks between columns, at least ten
/// characters for each but the last (docker/cli's tabwriter settings).
[[nodiscard]] std::string aligned(const std::vector<std::string>& lines);

/// Prints one object: `text`, or what `format` says: json, or a template of `form`.
[[nodiscard]] Status print_form(std::string_view format, const Listing::Json& form,
                                std::string_view text);

/// "k=v,k2=v2"
[[nodiscard]] std::string joined(const std::map<std::string, std::string>& labels);

}  // namespace berth::cli
