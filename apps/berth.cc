// The `berth` program: the command line over the engine.
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontends/cli/cli.h"
#include "frontends/cli/output.h"

int main(int argc, char** argv) {
  // Errors are values everywhere below; what can still be thrown is the standard library's own.
  try {
    std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    // A DHCP client can be given a program to run at events, and no words before the event's own.
    if (argc > 0 && std::string_view(argv[0]).ends_with("/berth-dhcp-event"))
      words.insert(words.begin(), {"system", "dhcp-event"});
    return berth::cli::run(words);
  } catch (const std::exception& error) {
    berth::cli::complain(error.what());
    return berth::cli::kExitRefused;
  }
}
