// What other instances in the same network namespace have in berth's table.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "berth/result.h"
#include "kernel/nft/element.h"

namespace berth::engine {

struct Instance;

/// The elements that another instance, or another program, has put into a set.
[[nodiscard]] Result<std::vector<nft::Element>> others_elements(Instance& instance,
                                                                std::string_view set);
/// Whether another instance has networks in berth's table.
[[nodiscard]] Result<bool> others_have_networks(Instance& instance);
/// The ports that others have published; quickly none where there never was another instance: this
/// is on the path of every attach that publishes something.
[[nodiscard]] Result<std::vector<nft::Element>> others_ports(Instance& instance);
/// What the instances tell each other under this name (firewall/table.h).
[[nodiscard]] Result<std::optional<nft::Element>> shared_element_of(Instance& instance,
                                                                    std::string_view what);

}  // namespace berth::engine
