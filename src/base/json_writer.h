// Writing JSON straight into a string. What berth stores at every attach goes through here:
// building a document of nodes first and printing that takes four times the instructions, and was
// a quarter of an attach's. Reading is rarer and stays with nlohmann-json (json_values.h has the
// same values' other direction).
//
//   BERTH_JSON_FIELDS(Subnet, cidr, range, gateway)
//
// in a .cc file, in the struct's namespace, makes it one that is written and read by its members'
// names. A member that a document lacks is an error; with BERTH_JSON_FIELDS_OR_DEFAULT it takes the
// value that a default-made object has, and what is empty, false or 0 there is not written where it
// is that: texts, lists and optional values have to be empty by default. That takes more than half
// of an endpoint's document away; and a default that is empty, false or 0 must stay so for ever.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_values.h"

namespace berth::json {

/// Is there nothing in `value` to write, given what it is by default.
template <typename T>
[[nodiscard]] bool is_empty(const T& value, [[maybe_unused]] const T& by_default) {
  if constexpr (requires { value.has_value(); })
    return !value.has_value();
  else if constexpr (requires { value.empty(); })
    return value.empty();
  else if constexpr (std::is_arithmetic_v<T>)
    return value == T{} && by_default == T{};
  else
    return false;
}

/// What an object of the type of `value` is by default.
template <typename T>
[[nodiscard]] const T& made_like(const T& /*value*/) {
  static const T made{};
  return made;
}

class Writer {
 public:
  Writer() {
    constexpr std::size_t kMostDocuments = 1000;  // and what malloc has at hand for each thread
    out_.reserve(kMostDocuments);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

  /// A member of the object that was begun last.
  template <typename T>
  void member(std::string_view key, const T& value) {
    separate();
    out_ += '"';
    out_ += key;
    out_ += "\":";
    write(value);
  }
  /// The same, with the comma and the key as they are written: `,"key":`.
  template <typename T>
  void member_at(std::string_view comma_and_key, const T& value) {
    out_ += comma_and_key.substr(is_first() ? 1 : 0);
    write(value);
  }
  /// An element of the array that was begun last.
  template <typename T>
  void element(const T& value) {
    separate();
    write(value);
  }
  void begin(char bracket) { out_ += bracket; }
  void end(char bracket) { out_ += bracket; }

  void write(std::string_view text) {
    if (is_plain(text)) {
      const auto begin = out_.size();
      out_.append(text.size() + 2, '"');
      std::ranges::copy(text, out_.begin() + static_cast<std::ptrdiff_t>(begin) + 1);
    } else {
      // Bytes that are no UTF-8 are replaced: a document must always be readable.
      out_ += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
  }
  void write(const std::string& text) { write(std::string_view(text)); }
  void write(const char* text) { write(std::string_view(text)); }
  void write(bool value) { out_ += value ? "true" : "false"; }
  void write(std::nullptr_t) { out_ += "null"; }
  template <std::integral T>
  void write(const T& value) {
    char digits[24];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void write(Protocol value) { write(name(value)); }
  template <typename T>
  void write(const std::optional<T>& value) {
    if (value)
      write(*value);
    else
      write(nullptr);
  }
  template <typename T>
  void write(const std::vector<T>& values) {
    begin('[');
    for (const auto& value : values) element(value);
    end(']');
  }
  template <typename T>
  void write(const std::map<std::string, T>& values) {
    begin('{');
    for (const auto& [key, value] : values) {
      separate();
      write(key);
      out_ += ':';
      write(value);
    }
    end('}');
  }
  /// Addresses and names as their text; else by the type's write_json(Writer&, const T&).
  template <typename T>
  void write(const T& value) {
    if constexpr (requires { value.str(); })
      write(value.str());
    else
      write_json(*this, value);
  }

 private:
  // A comma, unless what comes is the first in its bracket. No text can look like an open bracket
  // here, for it ends in a quote.
  void separate() {
    if (!is_first()) out_ += ',';
  }
  bool is_first() const { return out_.ends_with('{') || out_.ends_with('['); }
  // Looks at all bytes in any case, which the compiler makes sixteen at once of.
  static bool is_plain(std::string_view text) {
    bool special = false;
    for (const unsigned char byte : text)
      special |= (byte < ' ') | (byte > '~') | (byte == '"') | (byte == '\\');
    return !special;
  }

  std::string out_;
};

}  // namespace berth::json

// For each member of a struct, by nlohmann-json's own expansion of a list.
#define BERTH_JSON_EACH(what, ...) \
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(BERTH_JSON_##what, __VA_ARGS__))
#define BERTH_JSON_WRITE(field) writer.member_at(",\"" #field "\":", value.field);
#define BERTH_JSON_WRITE_UNLESS_EMPTY(field) \
  if (!json::is_empty(value.field, json::made_like(value).field)) BERTH_JSON_WRITE(field)
#define BERTH_JSON_READ(field) document.at(#field).get_to(value.field);
#define BERTH_JSON_READ_OR_DEFAULT(field) value.field = document.value(#field, made.field);

// `how` is WRITE or WRITE_UNLESS_EMPTY.
#define BERTH_JSON_WRITABLE(Type, how, ...)                                          \
  [[maybe_unused]] static void write_members([[maybe_unused]] json::Writer& writer,  \
                                             [[maybe_unused]] const Type& value) {   \
    BERTH_JSON_EACH(how, __VA_ARGS__)                                                \
  }                                                                                  \
  [[maybe_unused]] static void write_json(json::Writer& writer, const Type& value) { \
    writer.begin('{');                                                               \
    write_members(writer, value);                                                    \
    writer.end('}');                                                                 \
  }

#define BERTH_JSON_FIELDS(Type, ...)                                                    \
  BERTH_JSON_WRITABLE(Type, WRITE, __VA_ARGS__)                                         \
  [[maybe_unused]] static void from_json(const nlohmann::json& document, Type& value) { \
    BERTH_JSON_EACH(READ, __VA_ARGS__)                                                  \
  }

#define BERTH_JSON_FIELDS_OR_DEFAULT(Type, ...)                                         \
  BERTH_JSON_WRITABLE(Type, WRITE_UNLESS_EMPTY, __VA_ARGS__)                            \
  [[maybe_unused]] static void from_json(const nlohmann::json& document, Type& value) { \
    const Type made{};                                                                  \
    BERTH_JSON_EACH(READ_OR_DEFAULT, __VA_ARGS__)                                       \
  }
