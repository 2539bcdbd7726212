// What a use case works with: a typed view of the store, and a change in the making on top of it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "berth/network.h"
#include "engine/change/change.h"
#include "engine/change/transaction.h"
#include "engine/state/state.h"

namespace berth::engine {

/// The state, to read.
struct View {
  explicit View(store::Store& store) : transaction(store), state(transaction) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  Transaction transaction;
  State state;
};

/// A change that is being prepared. Reads through `state` see its own writes.
struct Draft : Change {
  explicit Draft(store::Store& store) : Change(store), state(transaction) {}

  State state;
  /// Addresses that others on the network's segment answered for in an earlier attempt: not to be
  /// chosen again.
  std::vector<Ip> neighbours;
  /// Sandboxes found dead while preparing, whose namespace the request's target has now. Their ends
  /// are to be recorded first.
  std::vector<Sandbox> dead;

  /// A sandbox whose addresses come or go, and those that link to it: their files in /etc are
  /// written anew (sandboxes/files.h).
  struct Moved {
    std::string id;
    bool ipv6 = false;  ///< whether it may have gained or lost IPv6
    std::vector<std::string> linkers;
  };
  std::vector<Moved> moved;
  /// Sandboxes, by id, whose endpoints, addresses or ports change (endpoints/endpoints.h).
  std::set<std::string> relinked;
};

}  // namespace berth::engine
