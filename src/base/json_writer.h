// Writing JSON straight into a string. What berth stores at every attach goes through here:
// building a document of nodes first and printing that takes four times the instructions, and was
// a quarter of an attach's. Reading is rarer and stays with nlohmann-json (json_values.h has the
// same values' other direction).
//
//   BERTH_JSON_FIELDS(Subnet, cidr, range, gateway)
//
// in a .cc file, in the struct's namespace, makes it one that is written and read by its members'
// names. A member that a document lacks is an error; with BERTH_JSON_FIELDS_OR_DEFAULT it takes the
// value that a default-made object has, and texts, lists and optional values that are empty are not
// written: by default they have to be empty, too. That halves an endpoint's document.
#pragma once

#include <charconv>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_values.h"

namespace berth::json {

template <typename T>
[[nodiscard]] bool is_empty(const T& value) {
  if constexpr (requires { value.has_value(); })
    return !value.has_value();
  else if constexpr (requires { value.empty(); })
    return value.empty();
  else
    return false;
}

class Writer {
 public:
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
      out_ += '"';
      out_ += text;
      out_ += '"';
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
    if (!out_.ends_with('{') && !out_.ends_with('[')) out_ += ',';
  }
  static bool is_plain(std::string_view text) {
    for (const unsigned char byte : text)
      if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\') return false;
    return true;
  }

  std::string out_;
};

}  // namespace berth::json

// For each member of a struct, by nlohmann-json's own expansion of a list.
#define BERTH_JSON_EACH(what, ...) \
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(BERTH_JSON_##what, __VA_ARGS__))
#define BERTH_JSON_WRITE(field) writer.member(#field, value.field);
#define BERTH_JSON_WRITE_UNLESS_EMPTY(field) \
  if (!json::is_empty(value.field)) writer.member(#field, value.field);
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
