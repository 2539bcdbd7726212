// The namespaces that one plan speaks to: each is opened once, and has one route socket.
#pragma once

#include <map>

#include "kernel/netlink/socket.h"
#include "kernel/netns/netns.h"
#include "plan/op.h"

namespace berth::plan {

class Kernel;

class Namespaces {
 public:
  explicit Namespaces(Kernel& host) : host_(host) {}

  /// The namespace, held open by this object. kNotFound where its path is gone or is another
  /// namespace's by now.
  Result<const kernel::Netns*> open(const NsRef& ns);
  /// A route socket that speaks for it; the host side's own for the host.
  Result<kernel::Socket*> route(const NsRef& ns);

 private:
  Kernel& host_;
  std::map<NsRef, kernel::Netns> opened_;
  std::map<NsRef, kernel::Socket> sockets_;
};

}  // namespace berth::plan
