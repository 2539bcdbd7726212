// Runs a fuzz target without a fuzzing engine: every seed of a folder, and a fixed number of mutations of
// each from a fixed random sequence. So the targets are built and run by the ordinary compiler in every
// test run; scripts/fuzz runs them for real.
//   NAME_fuzz SEEDS [MUTATIONS]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

// One to four edits: a byte changed, inserted, erased, or a piece repeated.
std::string mutated(std::string text, std::mt19937& random) {
  for (auto edits = random() % 4 + 1; edits > 0; --edits) {
    const auto at = text.empty() ? 0 : random() % text.size();
    switch (random() % 4) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      case 1:
        text.insert(at, 1, static_cast<char>(random()));
        break;
      case 2:
        text.erase(at, 1);
        break;
      case 3:
        text.insert(at, text.substr(at, random() % 8));
        break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s SEEDS [MUTATIONS]\n", argv[0]), 2;
  const int mutations = argc > 2 ? std::atoi(argv[2]) : 5000;
  std::mt19937 random(20261121);
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string seed{std::istreambuf_iterator<char>(file), {}};
    run(seed);
    for (int i = 0; i < mutations; ++i) run(mutated(seed, random));
    ++seeds;
  }
  std::printf("%d seeds, %d mutations each\n", seeds, mutations);
  return seeds > 0 ? 0 : 1;
}
