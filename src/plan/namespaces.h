// The namespaces that one request looks into and its plan then speaks to: each is opened once, and
// has one route socket, since entering a namespace to open one costs more than what it is for.
// Being open keeps a namespace alive, so this object lives no longer than the request. It belongs
// to one thread.
#pragma once

#include <map>

#include "kernel/netlink/socket.h"
#include "kernel/netns/netns.h"
#include "plan/op.h"

namespace berth::plan {

class Kernel;

class Namespaces {
 public:
  /// The namespace, held open by this object. kNotFound where its path is gone or is another
  /// namespace's by now.
  Result<const kernel::Netns*> open(const NsRef& ns);
  /// Takes over one that has been opened already.
  void keep(const NsRef& ns, kernel::Netns netns) { opened_.emplace(ns, std::move(netns)); }
  /// A route socket that speaks for it; for the host, `host`'s own.
  Result<kernel::Socket*> route(Kernel& host, const NsRef& ns);

 private:
  std::map<NsRef, kernel::Netns> opened_;
  std::map<NsRef, kernel::Socket> sockets_;
};

}  // namespace berth::plan
