#include "base/shell.h"

#include <algorithm>
#include <cctype>

namespace berth {

std::string shell_word(std::string_view word) {
  const bool harmless = !word.empty() && std::ranges::all_of(word, [](unsigned char byte) {
    return std::isalnum(byte) ||
           std::string_view("_-./:=@%+,").find(byte) != std::string_view::npos;
  });
  if (harmless) return std::string(word);
  std::string text = "'";
  for (const char byte : word) text += byte == '\'' ? std::string("'\\''") : std::string(1, byte);
  return text + "'";
}

}  // namespace berth
