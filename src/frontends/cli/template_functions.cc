#include "frontends/cli/template_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "base/result.h"
#include "frontends/cli/human.h"

namespace berth::cli {
namespace {

using Json = Template::Json;
using Arguments = std::span<const Json>;

constexpr std::size_t kAny = SIZE_MAX;
constexpr std::size_t kMaxWidth = 1000;  // of printf

template <typename... Args>
std::unexpected<Error> error(fmt::format_string<Args...> what, Args&&... args) {
  return fail(ErrorKind::kInvalid, what, std::forward<Args>(args)...);
}

Result<std::string> text(std::string_view function, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return error("{} needs a text, not {}", function, printed(value));
}

template <int (*kChange)(int)>
Result<Json> with_case(std::string_view function, const Json& value) {
  auto out = TRY(text(function, value));
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) c = static_cast<char>(kChange(byte));
  }
  return out;
}

Result<Json> title(Arguments arguments) {
  auto out = TRY(text("title", arguments[0]));
  bool begins = true;  // a word does
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (begins && byte < 0x80) c = static_cast<char>(std::toupper(byte));
    begins = byte < 0x80 && std::isalnum(byte) == 0 && c != '_';
  }
  return out;
}

// Equal to one of the others. Go compares a text with a text and a number with a number.
Result<Json> equal(Arguments arguments) {
  const auto& first = arguments[0];
  for (const auto& other : arguments.subspan(1)) {
    if (first.is_structured() || other.is_structured())
      return error("eq and ne compare no lists and no maps");
    const bool kinds_fit = first.is_null() || other.is_null() || first.type() == other.type() ||
                           (first.is_number() && other.is_number());
    if (!kinds_fit)
      return error("eq and ne compare values of one kind, not {} and {}", compact(first),
                   compact(other));
    if (first == other) return true;
  }
  return false;
}

Result<Json> not_equal(Arguments arguments) {
  return !TRY(equal(arguments)).get<bool>();
}

// A map without the key gives the empty value, as Go's maps do; a list without the index is wrong.
Result<Json> index(Arguments arguments) {
  auto value = arguments[0];
  for (const auto& key : arguments.subspan(1)) {
    if (value.is_object() && key.is_string()) {
      const auto found = value.find(key.get_ref<const std::string&>());
      value = found == value.end() ? Json("") : Json(*found);
    } else if (value.is_array() && key.is_number_integer()) {
      if (key < 0 || key >= value.size())
        return error("index {} of a list of {}", printed(key), value.size());
      value = Json(value[key.get<std::size_t>()]);
    } else {
      return error("index {} fits neither a map nor a list here", printed(key));
    }
  }
  return value;
}

Result<Json> len(Arguments arguments) {
  const auto& value = arguments[0];
  if (value.is_string()) return value.get_ref<const std::string&>().size();
  if (!value.is_null() && !value.is_structured()) return error("len needs a text, a list or a map");
  return value.size();
}

Result<Json> join(Arguments arguments) {
  const auto between = TRY(text("join", arguments[1]));
  if (!arguments[0].is_array() && !arguments[0].is_null())
    return error("join needs a list, not {}", printed(arguments[0]));
  std::vector<std::string> parts;
  for (const auto& part : arguments[0]) parts.push_back(printed(part));
  return fmt::format("{}", fmt::join(parts, between));
}

Result<Json> split(Arguments arguments) {
  const auto whole = TRY(text("split", arguments[0]));
  const auto between = TRY(text("split", arguments[1]));
  if (between.empty()) return error("split needs a text to split at that is not empty");
  auto parts = Json::array();
  std::size_t at = 0;
  for (std::size_t end; (end = whole.find(between, at)) != whole.npos; at = end + between.size())
    parts.push_back(whole.substr(at, end - at));
  parts.push_back(whole.substr(at));
  return parts;
}

Result<Json> println(Arguments arguments) {
  std::vector<std::string> parts;
  for (const auto& argument : arguments) parts.push_back(printed(argument));
  return fmt::format("{}\n", fmt::join(parts, " "));
}

// Of Go's verbs %s, %q, %d, %t and %v, each with '-', '0' and a width, and %%.
Result<Json> print_formatted(Arguments arguments) {
  const auto format = TRY(text("printf", arguments[0]));
  arguments = arguments.subspan(1);
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const auto from = i++;
    bool left = false, zeros = false;
    for (; i < format.size() && (format[i] == '-' || format[i] == '0'); ++i)
      (format[i] == '-' ? left : zeros) = true;
    std::size_t width = 0;
    for (; i < format.size() && std::isdigit(static_cast<unsigned char>(format[i])) != 0; ++i)
      width = std::min(width * 10 + static_cast<std::size_t>(format[i] - '0'), kMaxWidth + 1);
    const auto verb = format.substr(from, i - from + 1);
    const char kind = i < format.size() ? format[i] : '\0';
    if (kind == '%' && verb.size() == 2) {
      out += '%';
      continue;
    }
    if (kind == '\0' || !std::string_view("sqdtv").contains(kind) || width > kMaxWidth)
      return error("printf: '{}' is none of %s, %q, %d, %t, %v and %%, with a width of at most {}",
                   verb, kMaxWidth);
    if (arguments.empty()) return error("printf: there is no value for {}", verb);
    const auto& value = arguments[0];
    const bool fits = kind == 'v' || (kind == 'd'   ? value.is_number_integer()
                                      : kind == 't' ? value.is_boolean()
                                      : kind == 'q' ? value.is_string()
                                                    : value.is_string() || value.is_structured());
    if (!fits) return error("printf: {} does not print {}", verb, compact(value));
    auto part = kind == 'q' ? in_quotes(value.get_ref<const std::string&>()) : printed(value);
    arguments = arguments.subspan(1);
    const auto gap = width - std::min(width, display_width(part));
    if (left)
      part.append(gap, ' ');
    else if (zeros && kind == 'd')
      part.insert(part.starts_with('-') ? 1 : 0, gap, '0');
    else
      part.insert(0, gap, ' ');
    out += part;
  }
  if (!arguments.empty()) return error("printf: there is no verb for {}", printed(arguments[0]));
  return out;
}

// Of the headings what Docker prints: the last part of the key, "com.example.my-key" as "my key".
Result<Json> label(Arguments arguments) {
  const auto key = TRY(text("Label", arguments[1]));
  if (!arguments[0].is_null()) return index(arguments);
  auto heading = key.substr(key.rfind('.') + 1);
  std::ranges::replace_if(heading, [](char c) { return c == '-' || c == '_'; }, ' ');
  return heading;
}

constexpr auto kFunctions = std::to_array<TemplateFunction>({
    {"eq", 2, kAny, "two or more values", equal},
    {"index", 2, kAny, "a value and at least one key", index},
    {"join", 2, 2, "a list and a text", join},
    {"json", 1, 1, "one value", [](Arguments a) -> Result<Json> { return compact(a[0]); }},
    {"len", 1, 1, "one value", len},
    {"lower", 1, 1, "one text", [](Arguments a) { return with_case<std::tolower>("lower", a[0]); }},
    {"ne", 2, 2, "two values", not_equal},
    {"printf", 1, kAny, "a format and values", print_formatted},
    {"println", 0, kAny, "values", println},
    {"split", 2, 2, "two texts", split},
    {"title", 1, 1, "one text", title},
    {"upper", 1, 1, "one text", [](Arguments a) { return with_case<std::toupper>("upper", a[0]); }},
});
constexpr TemplateFunction kLabel = {"Label", 2, 2, "one key", label};

}  // namespace

std::span<const TemplateFunction> template_functions() {
  return kFunctions;
}

const TemplateFunction& label_function() {
  return kLabel;
}

std::vector<std::string> sorted_keys(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  std::ranges::sort(keys);
  return keys;
}

std::string printed(const Json& value) {
  if (value.is_null()) return "<no value>";
  if (value.is_string()) return value.get<std::string>();
  std::string inside;
  if (value.is_array()) {
    for (const auto& element : value) inside += (inside.empty() ? "" : " ") + printed(element);
    return "[" + inside + "]";
  }
  if (value.is_object()) {
    for (const auto& key : sorted_keys(value))
      inside += (inside.empty() ? "" : " ") + key + ":" + printed(value[key]);
    return "map[" + inside + "]";
  }
  return compact(value);
}

}  // namespace berth::cli
