// Reading and changing nft tables of family inet over a netlink socket of its own.
//
// Theory of operation: a Batch goes out as one send between NFNL_MSG_BATCH_BEGIN and _END; the
// kernel works through all of it, answers every message that failed (and the last one, which asks
// for it, so that success is something heard and not a silence), and then makes everything visible
// at once or nothing (net/netfilter/nfnetlink.c, nfnetlink_rcv_batch). The answers wait in the
// socket when the send returns. An error names the object, with elements the very element: the
// kernel points at it by its place in the message (NLMSGERR_ATTR_OFFS).
//
// Other writers (nft, docker, another berth): the kernel serialises transactions, so changes that
// do not depend on what was read need no care. Those that do name the generation they read
// (Batch::require_generation); if it is not the current one any more the commit fails and
// is_stale() tells so. Dumps that a writer interrupts are begun anew.
//
// Namespace: a Connection speaks for the network namespace in which its socket was opened.
// Threads: it belongs to one thread at a time. Ownership: it owns its socket.
// Debugging: `nft monitor` shows what is committed, `nft list table inet NAME` the result.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "berth/result.h"
#include "kernel/netlink/socket.h"
#include "kernel/nft/batch.h"
#include "kernel/nft/element.h"
#include "kernel/nft/spec.h"

namespace berth::nft {

/// What the kernel has of one table, as far as it can be compared with a TableSpec.
struct TableState {
  struct Chain {
    std::optional<Hook> hook;
    bool policy_accept = true;
    std::vector<std::uint64_t> rules{};  ///< fingerprints in order; 0 for rules without one
  };

  std::uint32_t generation = 0;  ///< of the whole ruleset, read before the rest
  bool exists = false;
  std::uint32_t objects = 0;  ///< chains, sets, flowtables and the like, anonymous sets included
  std::map<std::string, SetShape, std::less<>> sets{};
  std::map<std::string, Chain, std::less<>> chains{};
};

/// Whether a commit failed because the ruleset changed since the generation that it required.
[[nodiscard]] bool is_stale(const Error& error);

class Connection {
 public:
  /// In the calling thread's network namespace.
  [[nodiscard]] static Result<Connection> open();
  /// Takes over a socket of NETLINK_NETFILTER, perhaps opened in another namespace.
  explicit Connection(kernel::Socket socket);

  /// All of `batch` or nothing. An empty batch is done.
  [[nodiscard]] Status commit(Batch batch);

  /// The number of the ruleset's last change.
  [[nodiscard]] Result<std::uint32_t> generation();
  [[nodiscard]] Result<TableState> read_table(const std::string& table);
  /// The elements of a set that looks like `set`, in order, but for what berth could not have put
  /// there: ranges, other verdicts. kNotFound if there is no such set.
  [[nodiscard]] Result<std::vector<Element>> list_elements(const std::string& table,
                                                           const SetSpec& set);
  /// Whether `element`'s set has its key: one look-up, whatever the set's size. No table, no element.
  [[nodiscard]] Result<bool> contains(const std::string& table, const Element& element);

 private:
  kernel::Socket socket_;
  std::uint32_t next_sequence_ = 1U << 31;  ///< of batches; socket_ counts its own from 1
};

}  // namespace berth::nft
