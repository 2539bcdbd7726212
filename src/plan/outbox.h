// What operations leave to go to the kernel together: requests on one route socket, sysctls of one
// sandbox, deletions of the host's links, additions to nft sets or removals from them, flushes of
// flows; one kind at a time, in order.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "kernel/conntrack/conntrack.h"
#include "plan/apply.h"
#include "plan/op.h"

namespace berth::plan {

class Outbox {
 public:
  /// Told how the operation at a position of the plan went. Of a transaction that was refused only
  /// the first one is named: one transaction, one error.
  using Settle = std::function<void(std::size_t position, Status status)>;
  /// What follows a refusal: nothing, or what is left, elements of a refused transaction one by
  /// one.
  enum class AfterRefusal { kStop, kGoOn };

  Outbox(Kernel& kernel, Namespaces& namespaces, AfterRefusal after_refusal, Settle settle)
      : kernel_(kernel),
        namespaces_(namespaces),
        after_refusal_(after_refusal),
        settle_(std::move(settle)) {}

  enum class Kind { kNone, kRequests, kSettings, kDeletions, kAdditions, kRemovals, kFlushes };
  /// Sends what waits, unless it is of that kind and for that namespace.
  void make_way_for(Kind kind, const NsRef& ns = {});
  /// One more, of the kind that way was made for.
  void add(std::size_t position, kernel::Request request);
  void add(std::size_t position, const SetSysctl& setting);  ///< which outlives the next flush()
  void add_deletion(std::size_t position, const IfName& link);
  void add(std::size_t position, const nft::Element& element);  ///< likewise
  void add(std::size_t position, const kernel::FlowFilter& flows);

  /// Sends what waits, and settles it.
  void flush();

 private:
  void flush_requests();
  void flush_settings();
  void flush_deletions();
  void flush_elements(bool adding);
  void flush_flows();
  Status commit(std::span<const nft::Element* const> elements, bool adding);
  void leave_group(const std::vector<IfName>& links);

  Kernel& kernel_;
  Namespaces& namespaces_;
  AfterRefusal after_refusal_;
  Settle settle_;

  Kind kind_ = Kind::kNone;
  NsRef ns_;
  std::vector<std::size_t> positions_;  // of what waits, in the plan
  std::vector<kernel::Request> requests_;
  std::vector<const SetSysctl*> settings_;
  std::vector<IfName> deletions_;
  std::vector<const nft::Element*> elements_;
  std::vector<kernel::FlowFilter> flows_;
};

}  // namespace berth::plan
