// The stored form of the model: one JSON document a value, read back strictly.
//
// Unknown keys are ignored (a newer berth may have written them), missing ones take the value that a
// default-made object has; a value of the wrong type is kCorrupt and names the document.
#pragma once

#include <string>
#include <string_view>

#include "berth/network.h"

namespace berth::model {

[[nodiscard]] std::string to_json(const Network& network);
[[nodiscard]] std::string to_json(const Endpoint& endpoint);
[[nodiscard]] std::string to_json(const Sandbox& sandbox);

[[nodiscard]] Result<Network> network_from_json(std::string_view text);
[[nodiscard]] Result<Endpoint> endpoint_from_json(std::string_view text);
[[nodiscard]] Result<Sandbox> sandbox_from_json(std::string_view text);

}  // namespace berth::model
