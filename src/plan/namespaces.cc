#include "plan/namespaces.h"

#include <linux/netlink.h>

#include "base/result.h"
#include "plan/apply.h"

namespace berth::plan {

Result<const kernel::Netns*> Namespaces::open(const NsRef& ns) {
  if (const auto known = opened_.find(ns); known != opened_.end()) return &known->second;
  auto netns = TRY(kernel::Netns::open(ns.path));
  if (ns.inode != 0 && netns.inode() != ns.inode)
    return fail(ErrorKind::kNotFound,
                "the network namespace of {} is gone: another one is there now", ns.path);
  return &opened_.emplace(ns, std::move(netns)).first->second;
}

Result<kernel::Socket*> Namespaces::route(Kernel& host, const NsRef& ns) {
  if (ns.is_host()) return host.route();
  if (const auto known = sockets_.find(ns); known != sockets_.end()) return &known->second;
  auto socket = TRY(kernel::open_socket_in(*TRY(open(ns)), host.home(), NETLINK_ROUTE));
  return &sockets_.emplace(ns, std::move(socket)).first->second;
}

}  // namespace berth::plan
