// Keeping the table in the kernel as table.h has it. What is worked out from a dump is committed
// only if the ruleset is still the one of the dump; else it is worked out anew.
#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/result.h"
#include "firewall/table.h"

namespace berth::firewall {
namespace {

// How often a concurrent writer may get in between reading and writing.
constexpr int kAttempts = 50;

bool is_users(const nft::ChainSpec& chain) {
  return chain.name == kUserChain;
}

bool set_is_right(const nft::TableState& state, const nft::SetSpec& set) {
  const auto found = state.sets.find(set.name);
  return found != state.sets.end() && found->second == nft::shape_of(set);
}

// Of the administrator's chain only the name counts.
bool chain_is_right(const nft::TableState::Chain& found, const nft::ChainSpec& chain) {
  return is_users(chain) || (found.hook == chain.hook && found.policy_accept);
}

bool rules_are_right(const nft::TableState::Chain& found, const nft::ChainSpec& chain) {
  if (is_users(chain)) return true;
  return std::ranges::equal(found.rules, chain.rules, {}, {}, &nft::Rule::fingerprint);
}

bool is_right(const nft::TableState& state) {
  for (const auto& set : table().sets) {
    if (!set_is_right(state, set)) return false;
  }
  for (const auto& chain : table().chains) {
    const auto found = state.chains.find(chain.name);
    if (found == state.chains.end() || !chain_is_right(found->second, chain) ||
        !rules_are_right(found->second, chain)) {
      return false;
    }
  }
  return true;
}

// Empties berth's own chains that are there: nothing refers to another object any more.
void flush_chains(const nft::TableState& state, nft::Batch& batch) {
  for (const auto& chain : table().chains) {
    if (!is_users(chain) && state.chains.contains(chain.name)) batch.flush_chain(chain.name);
  }
}

void repair(const nft::TableState& state, nft::Batch& batch) {
  batch.ensure_table();
  flush_chains(state, batch);
  for (const auto& set : table().sets) {
    if (set_is_right(state, set)) continue;
    if (state.sets.contains(set.name)) batch.delete_set(set.name);
    batch.add_set(set);
  }
  for (const auto& chain : table().chains) {
    const auto found = state.chains.find(chain.name);
    if (found != state.chains.end() && chain_is_right(found->second, chain)) continue;
    if (found != state.chains.end()) batch.delete_chain(chain.name);
    batch.add_chain(chain);
  }
  for (const auto& chain : table().chains) {
    for (const auto& rule : chain.rules) batch.add_rule(chain.name, rule);
  }
}

// Whether the table holds nothing but what berth made.
bool is_all_ours(const nft::TableState& state) {
  std::uint32_t ours = 0;
  for (const auto& set : table().sets) ours += state.sets.contains(set.name);
  for (const auto& chain : table().chains) {
    const auto found = state.chains.find(chain.name);
    if (found == state.chains.end()) continue;
    if (is_users(chain) && !found->second.rules.empty()) return false;
    ++ours;
  }
  return state.objects == ours;
}

void remove_our_part(const nft::TableState& state, nft::Batch& batch) {
  flush_chains(state, batch);
  // In the order opposite to making: a chain before those it jumps to.
  for (auto chain = table().chains.rbegin(); chain != table().chains.rend(); ++chain) {
    if (!is_users(*chain) && state.chains.contains(chain->name)) batch.delete_chain(chain->name);
  }
  for (const auto& set : table().sets) {
    if (state.sets.contains(set.name)) batch.delete_set(set.name);
  }
}

// `change` reads, and commits what follows from that; again as long as another writer was quicker.
Result<bool> until_not_stale(const std::function<Result<bool>()>& change) {
  for (int attempt = 1;; ++attempt) {
    auto done = change();
    if (done || !nft::is_stale(done.error()) || attempt == kAttempts) return done;
  }
}

nft::Batch based_on(const nft::TableState& state) {
  nft::Batch batch{std::string(kTable)};
  batch.require_generation(state.generation);
  return batch;
}

Result<bool> bridges_in_use(nft::Connection& connection, const nft::TableState& state) {
  for (const auto& set : table().sets) {
    if (set.name != kBridges || !state.sets.contains(set.name)) continue;
    return !TRY(connection.list_elements(std::string(kTable), set)).empty();
  }
  return false;
}

}  // namespace

Result<bool> publishes_into(nft::Connection& connection, const Cidr& prefix) {
  const auto leads_there = [&](const nft::Element& element) {
    const auto* to = element.data.empty() ? nullptr : std::get_if<Ip>(&element.data.front());
    return to && prefix.contains(*to);
  };
  for (const auto& set : table().sets) {
    if (set.name != kSets6.publish && set.name != kSets6.publish_addr) continue;
    const auto listed = connection.list_elements(std::string(kTable), set);
    if (!listed && listed.error().kind == ErrorKind::kNotFound) continue;
    if (std::ranges::any_of(TRY(listed), leads_there)) return true;
  }
  return false;
}

Result<bool> table_intact(nft::Connection& connection) {
  return is_right(TRY(connection.read_table(std::string(kTable))));
}

Result<bool> ensure_table(nft::Connection& connection) {
  return until_not_stale([&]() -> Result<bool> {
    const auto state = TRY(connection.read_table(std::string(kTable)));
    if (is_right(state)) return false;
    nft::Batch batch = based_on(state);
    repair(state, batch);
    TRY(connection.commit(std::move(batch)));
    return true;
  });
}

Result<bool> remove_table_if_unused(nft::Connection& connection) {
  return until_not_stale([&]() -> Result<bool> {
    const auto state = TRY(connection.read_table(std::string(kTable)));
    if (!state.exists) return true;
    if (TRY(bridges_in_use(connection, state))) return false;
    nft::Batch batch = based_on(state);
    if (is_all_ours(state)) {
      batch.delete_table();
    } else {
      remove_our_part(state, batch);
    }
    const auto done = connection.commit(std::move(batch));
    // A rule of the administrator's names one of berth's sets or chains: then all stays, unused.
    if (!done && done.error().sys == EBUSY) return true;
    TRY(done);
    return true;
  });
}

}  // namespace berth::firewall
