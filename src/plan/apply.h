// Making a plan true in the kernel: in few messages, and as a whole.
//
// Theory of operation: consecutive operations on one socket wait and go out together (one send for
// many netlink requests, one transaction for all nft elements); names become interface indexes at
// the last moment. The kernel goes on after a failed request of a batch, so what was done is known
// per operation, and that, in reverse, is what a failure takes back. Deleting several links costs
// the kernel one RCU grace period by group instead of one each (rtnl_group_dellink).
//
// Making operations are strict, removing ones take "gone already" for done.
// Threading and ownership: a Kernel holds sockets of one network namespace, the host side; sockets
// into sandboxes live as long as the call. Debugging: `ip monitor`, `nft monitor`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "berth/result.h"
#include "kernel/netlink/socket.h"
#include "kernel/netns/netns.h"
#include "kernel/nft/connection.h"
#include "plan/namespaces.h"
#include "plan/op.h"

namespace berth::plan {

/// The host side that plans are applied to: the network namespace of the calling thread at the time
/// of the first use. Whoever uses it later has to be in the same one.
class Kernel {
 public:
  // All opened when first asked for, and owned by this object.
  Result<kernel::Socket*> route();      ///< rtnetlink
  Result<nft::Connection*> nft();       ///< nftables
  Result<kernel::Socket*> netfilter();  ///< connection tracking
  Result<ino_t> inode();                ///< of the namespace itself
  const Result<kernel::Home>& home();   ///< for kernel::visit(): where a thread comes back to

 private:
  std::optional<kernel::Socket> netfilter_;
  std::optional<kernel::Socket> route_;
  std::optional<nft::Connection> nft_;
  std::optional<ino_t> inode_;
  std::optional<Result<kernel::Home>> home_;
};

/// Called with an operation's position before it is carried out; an error there is as if the
/// operation itself had failed. For fault injection: it also makes operations go one at a time.
using BeforeOp = std::function<Status(std::size_t)>;

/// All of `plan`, or nothing: after an error what was done has been taken back, as far as the
/// kernel let it; what it did not let is added to the error's sentence. `opened` are namespaces
/// that the caller has looked into.
[[nodiscard]] Status apply(Kernel& kernel, const Plan& plan, const BeforeOp& before = {},
                           Namespaces opened = {});

/// As much of `plan` as can be: goes on past errors and returns them. "There already" is fine.
[[nodiscard]] std::vector<Error> apply_all(Kernel& kernel, const Plan& plan,
                                           const BeforeOp& before = {});

/// The part of a making `plan` that is not true in the kernel now.
[[nodiscard]] Result<Plan> missing(Kernel& kernel, const Plan& plan);

class Diff;

/// missing() for several plans in turn. What the kernel lists of the host is listed once, so that a
/// thousand plans do not cost a thousand lists: for as long as nobody changes it.
class Comparison {
 public:
  explicit Comparison(Kernel& kernel);
  Comparison(Comparison&&) noexcept;
  Comparison& operator=(Comparison&&) noexcept;
  ~Comparison();
  [[nodiscard]] Result<Plan> missing(const Plan& plan);

 private:
  std::unique_ptr<Diff> diff_;
};

/// The inverse of a `plan` of which nobody knows how far it was carried out. Left alone are links
/// and elements that have the plan's names but are others' by now, and the host's forwarding where
/// the plan has not come to it.
[[nodiscard]] Result<Plan> rollback(Kernel& kernel, const Plan& plan);

}  // namespace berth::plan
