// The functions of a template, and how its values print.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/result.h"
#include "frontends/cli/template.h"

namespace berth::cli {

struct TemplateFunction {
  using Json = Template::Json;
  std::string_view name;
  std::size_t least, most;  // arguments
  std::string_view takes;   // the same in words
  Result<Json> (*call)(std::span<const Json> arguments);
};

/// In the order of their names.
[[nodiscard]] std::span<const TemplateFunction> template_functions();

/// {{.Label "key"}} in a row of a list: what is called with the row's labels and the key. Where the
/// headings are printed the row has null for labels.
[[nodiscard]] const TemplateFunction& label_function();

/// As Go's fmt prints with %v.
[[nodiscard]] std::string printed(const Template::Json& value);
/// The keys of an object in the order in which Go walks a map.
[[nodiscard]] std::vector<std::string> sorted_keys(const Template::Json& object);

}  // namespace berth::cli
