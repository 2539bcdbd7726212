// What may be asked for of an endpoint, before anything is looked up or made.
#pragma once

#include "berth/network.h"
#include "berth/result.h"

namespace berth::engine {

/// Refuses names that no hosts file or interface can have, and what is given twice. On the
/// predefined network `bridge` no aliases are known, as in Docker.
[[nodiscard]] Status check_endpoint_request(const EndpointOptions& asked, const Network& network);

/// Could `text` stand for an address in a hosts file and in DNS?
[[nodiscard]] bool is_alias(std::string_view text);

}  // namespace berth::engine
