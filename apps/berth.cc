// The `berth` program: the command line over the engine.
#include <exception>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "frontends/cli/cli.h"
#include "frontends/cli/output.h"

int main(int argc, char** argv) {
  // Errors are values everywhere below; what can still be thrown is the standard library's own.
  try {
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return berth::cli::run(words);
  } catch (const std::exception& error) {
    berth::cli::complain(error.what());
    return berth::cli::kExitRefused;
  }
}
