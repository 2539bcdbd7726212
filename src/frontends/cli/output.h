// Where the command line's words go: results to stdout, refusals to stderr as one "berth: ..."
// line. stdio and no iostreams: nothing to construct at start-up, one write for a whole listing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/engine.h"
#include "berth/result.h"

namespace berth::cli {

void print(std::string_view text);
/// "berth: <sentence>" on stderr; stdout goes out first, so that the two stay in order.
void complain(std::string_view sentence);
/// Is `fd` a terminal on which colour is welcome (NO_COLOR unset, TERM not dumb)?
[[nodiscard]] bool wants_colour(int fd);
/// Writes out what print() holds back. An error when it could not be written (a full disk).
[[nodiscard]] Status flush();

/// Prints each thing that went well by the name it was asked for by, complains of the others.
/// The exit code: were all well?
[[nodiscard]] int report(std::span<const Outcome> outcomes);

/// Asks on the terminal; anything but y or yes is no.
[[nodiscard]] bool confirmed(std::string_view question);

}  // namespace berth::cli
