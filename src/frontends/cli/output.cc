#include "frontends/cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/result.h"
#include "frontends/cli/verb.h"

namespace berth::cli {

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void complain(std::string_view sentence) {
  std::fflush(stdout);
  const std::string_view prefix = wants_colour(STDERR_FILENO) ? "\033[31mberth:\033[0m" : "berth:";
  const auto line = fmt::format("{} {}\n", prefix, sentence);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

bool wants_colour(int fd) {
  const char* no_color = std::getenv("NO_COLOR");  // no-color.org: any value that is not empty
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb" && ::isatty(fd) == 1;
}

Status flush() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  return fail_sys(errno, "writing to stdout");
}

int report(std::span<const Outcome> outcomes) {
  int exit_code = kExitOk;
  for (const auto& outcome : outcomes) {
    if (outcome.status) {
      print(outcome.reference + "\n");
      continue;
    }
    complain(outcome.status.error().message);
    exit_code = kExitRefused;
  }
  return exit_code;
}

bool confirmed(std::string_view question) {
  print(fmt::format("{} [y/N] ", question));
  std::fflush(stdout);
  char answer[8] = {};
  if (std::fgets(answer, sizeof answer, stdin) == nullptr) return false;
  const std::string_view text(answer);
  return text == "y\n" || text == "Y\n" || text == "yes\n";
}

}  // namespace berth::cli
