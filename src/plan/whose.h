// Links that berth made, told from others that have been given their names since.
//
// Theory of operation: plans name links, and a name is anybody's once its link is gone or called
// otherwise. What berth makes has a kind and, where berth chose it, a MAC address; the pair of an
// endpoint ends in a sandbox. A link that differs in that is somebody else's, and none of berth's to
// delete or change.
#pragma once

#include <optional>
#include <vector>

#include "berth/result.h"
#include "kernel/netlink/link.h"
#include "plan/namespaces.h"
#include "plan/op.h"

namespace berth::plan {

class Kernel;

/// Has `link` the kind and the MAC address of the one that is meant?
[[nodiscard]] bool is_alike(const kernel::LinkInfo& link, const DeleteLink& meant);

/// The id by which the host knows the namespace `ns` (kernel::netns_id); none for the host itself.
[[nodiscard]] Result<std::optional<int>> netnsid(Kernel& kernel, Namespaces& namespaces,
                                                 const NsRef& ns);

/// Whether `one`, a link of the host, and `other`, which is in the namespace of that id, are the two
/// ends of one veth pair.
[[nodiscard]] bool are_a_pair(const kernel::LinkInfo& one, const kernel::LinkInfo& other,
                              std::optional<int> netnsid_of_other);

/// Has another link than the one that is meant its name by now? What cannot be looked up is taken
/// for the one that is meant.
[[nodiscard]] bool is_others(Kernel& kernel, Namespaces& namespaces, const DeleteLink& meant);

/// Takes the deletions of links out of `plan` that would delete somebody else's. A sentence for each.
[[nodiscard]] std::vector<Error> spare_others(Kernel& kernel, Plan& plan);

}  // namespace berth::plan
