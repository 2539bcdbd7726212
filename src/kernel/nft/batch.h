// Changes to one nft table (family inet) that the kernel makes all at once or not at all.
//
// A Batch only collects; Connection::commit (connection.h) sends it. Every change is one netlink
// message, except that elements of one set share messages as far as the 16-bit length of a netlink
// attribute allows, because a message costs the kernel a search for table and set.
//
// Words: add and delete are strict (the object must not, or must, be there), remove is not: what is
// gone already is passed over. Kernels from 6.3 on know NFT_MSG_DESTROYSETELEM for that, Debian
// 12's 6.1 does not, so commit does it on all kernels in one way: elements to remove travel one per
// message, the kernel names every message that failed, and the batch is sent again without those.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/netlink/message.h"
#include "kernel/nft/element.h"
#include "kernel/nft/spec.h"

namespace berth::nft {

class Batch {
 public:
  explicit Batch(std::string table) : table_(std::move(table)) {}

  /// Makes commit fail (is_stale()) unless the ruleset is still the one of that generation: for
  /// changes worked out from what Connection::read_table saw.
  void require_generation(std::uint32_t generation) { generation_ = generation; }

  void ensure_table();  ///< the one change that is idempotent by itself
  void delete_table();
  void add_set(const SetSpec& set);
  void delete_set(const std::string& set);
  void add_chain(const ChainSpec& chain);  ///< without its rules
  void delete_chain(const std::string& chain);
  void flush_chain(const std::string& chain);  ///< its rules go, it stays
  void add_rule(const std::string& chain, const Rule& rule);

  void add_elements(std::vector<Element> elements);
  void delete_elements(std::vector<Element> elements);
  void remove_elements(std::vector<Element> elements);

  [[nodiscard]] bool empty() const { return operations_.empty(); }

 private:
  friend class Transaction;  // connection.cc

  struct Operation {
    kernel::Message message;
    std::string words;              ///< "add chain forward"; with elements "add element publish4"
    std::vector<Element> elements;  ///< those in the message
    std::vector<std::size_t> offsets;  ///< of each element within the message, bytes
    bool may_be_gone = false;
  };
  /// What failed, in words; `offset` is where in the message the kernel stopped, if it said so.
  [[nodiscard]] static std::string describe(const Operation& operation,
                                            std::optional<std::size_t> offset);

  enum class ElementChange { kAdd, kDelete };
  [[nodiscard]] kernel::Message message(std::uint16_t type, std::uint16_t flags) const;
  void change_elements(ElementChange change, std::vector<Element> elements,
                       std::size_t most_per_message, bool may_be_gone);
  [[nodiscard]] Operation next_elements(ElementChange change, std::span<Element>& rest,
                                        std::size_t most) const;
  void put(kernel::Message message, std::string words);

  std::string table_;
  std::optional<std::uint32_t> generation_;
  std::vector<Operation> operations_;
  std::uint32_t next_set_id_ = 1;
};

}  // namespace berth::nft
