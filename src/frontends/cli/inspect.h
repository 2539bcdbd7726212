// What the inspect verbs and lists need of the engine beside the object itself.
#pragma once

#include <string>
#include <vector>

#include "berth/engine.h"
#include "frontends/docker_form.h"

namespace berth::cli {

[[nodiscard]] Result<frontends::Json> inspected_network(Engine& engine, const Network& network,
                                                        bool verbose = false);
[[nodiscard]] Result<frontends::Json> inspected_sandbox(Engine& engine, const Sandbox& sandbox);

/// Prints the objects as Docker does: a JSON array, or one line of the template for each.
[[nodiscard]] Status print_inspected(const frontends::Json& objects, const std::string& format);

}  // namespace berth::cli
