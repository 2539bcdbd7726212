// Commands as a person types them into a POSIX shell.
#pragma once

#include <string>
#include <string_view>

namespace berth {

/// A word as the shell reads it back: bare where every byte is harmless, else in single quotes.
[[nodiscard]] std::string shell_word(std::string_view word);

}  // namespace berth
