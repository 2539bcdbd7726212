#include "kernel/nft/batch.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <memory>

namespace berth::nft {
namespace {

// When a message with elements is full: an attribute's length has 16 bits, and one more element
// takes 400 bytes at most (two keys of 64 bytes, data, comment).
constexpr std::size_t kElementMessageBytes = 60000;

// Room for one rule as libnftnl writes it. The largest of berth's takes 900 bytes.
constexpr std::size_t kRuleMessageBytes = 16384;

// An element as netlink attributes (enum nft_set_elem_attributes).
void put_element(kernel::Message& message, const Element& element, bool with_value) {
  const auto entry = message.nest(NFTA_LIST_ELEM);
  const auto put_value = [&](std::uint16_t type, std::span<const std::uint8_t> bytes) {
    const auto nest = message.nest(type);
    message.put(NFTA_DATA_VALUE, bytes);
  };
  put_value(NFTA_SET_ELEM_KEY, encode(element.key, Edge::kFirst));
  if (element.key.size() > 1 && has_interval(element.key)) {
    put_value(NFTA_SET_ELEM_KEY_END, encode(element.key, Edge::kLast));
  }
  if (!with_value) return;
  if (element.verdict) {
    const auto data = message.nest(NFTA_SET_ELEM_DATA);
    const auto verdict = message.nest(NFTA_DATA_VERDICT);
    message.put_u32(NFTA_VERDICT_CODE, htonl(static_cast<std::uint32_t>(*element.verdict)));
  } else if (!element.data.empty()) {
    put_value(NFTA_SET_ELEM_DATA, encode(element.data, Edge::kFirst));
  }
  if (!element.comment.empty()) {
    UserData data;
    data.put_string(NFTNL_UDATA_SET_ELEM_COMMENT,
                    std::string_view(element.comment).substr(0, kMaxCommentBytes));
    message.put(NFTA_SET_ELEM_USERDATA, data.bytes());
  }
}

// The second element of an interval of one field.
void put_interval_end(kernel::Message& message, const Ip& end) {
  const auto entry = message.nest(NFTA_LIST_ELEM);
  message.put_u32(NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
  const auto key = message.nest(NFTA_SET_ELEM_KEY);
  message.put(NFTA_DATA_VALUE, end.bytes());
}

}  // namespace

kernel::Message Batch::message(std::uint16_t type, std::uint16_t flags) const {
  return {static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
          nfgenmsg{.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0, .res_id = 0}};
}

void Batch::put(kernel::Message message, std::string words) {
  operations_.push_back({std::move(message), std::move(words), {}, {}, false});
}

void Batch::ensure_table() {
  auto request = message(NFT_MSG_NEWTABLE, NLM_F_CREATE);
  request.put_string(NFTA_TABLE_NAME, table_);
  put(std::move(request), fmt::format("add table inet {}", table_));
}

void Batch::delete_table() {
  auto request = message(NFT_MSG_DELTABLE, 0);
  request.put_string(NFTA_TABLE_NAME, table_);
  put(std::move(request), fmt::format("delete table inet {}", table_));
}

void Batch::add_set(const SetSpec& set) {
  const SetShape shape = shape_of(set);
  auto request = message(NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
  request.put_string(NFTA_SET_TABLE, table_);
  request.put_string(NFTA_SET_NAME, set.name);
  request.put_u32(NFTA_SET_ID, htonl(next_set_id_++));
  request.put_u32(NFTA_SET_FLAGS, htonl(shape.flags));
  request.put_u32(NFTA_SET_KEY_TYPE, htonl(shape.key_type));
  request.put_u32(NFTA_SET_KEY_LEN, htonl(shape.key_bytes));
  if (set.is_map()) {
    request.put_u32(NFTA_SET_DATA_TYPE, htonl(shape.data_type));
    request.put_u32(NFTA_SET_DATA_LEN, htonl(shape.data_bytes));
  }
  if (shape.flags & NFT_SET_CONCAT) {
    const auto description = request.nest(NFTA_SET_DESC);
    const auto fields = request.nest(NFTA_SET_DESC_CONCAT);
    for (const FieldType type : set.key) {
      const auto field = request.nest(NFTA_LIST_ELEM);
      request.put_u32(NFTA_SET_FIELD_LEN, htonl(static_cast<std::uint32_t>(field_bytes(type))));
    }
  }
  request.put(NFTA_SET_USERDATA, user_data_of(set).bytes());
  put(std::move(request), fmt::format("add set {}", set.name));
}

void Batch::delete_set(const std::string& set) {
  auto request = message(NFT_MSG_DELSET, 0);
  request.put_string(NFTA_SET_TABLE, table_);
  request.put_string(NFTA_SET_NAME, set);
  put(std::move(request), fmt::format("delete set {}", set));
}

void Batch::add_chain(const ChainSpec& chain) {
  auto request = message(NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
  request.put_string(NFTA_CHAIN_TABLE, table_);
  request.put_string(NFTA_CHAIN_NAME, chain.name);
  if (chain.hook) {
    request.put_string(NFTA_CHAIN_TYPE, chain.hook->type);
    request.put_u32(NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
    const auto hook = request.nest(NFTA_CHAIN_HOOK);
    request.put_u32(NFTA_HOOK_HOOKNUM, htonl(chain.hook->number));
    request.put_u32(NFTA_HOOK_PRIORITY, htonl(static_cast<std::uint32_t>(chain.hook->priority)));
  }
  put(std::move(request), fmt::format("add chain {}", chain.name));
}

void Batch::delete_chain(const std::string& chain) {
  auto request = message(NFT_MSG_DELCHAIN, 0);
  request.put_string(NFTA_CHAIN_TABLE, table_);
  request.put_string(NFTA_CHAIN_NAME, chain);
  put(std::move(request), fmt::format("delete chain {}", chain));
}

// The kernel deletes all rules of a chain when no handle names one (nf_tables_delrule).
void Batch::flush_chain(const std::string& chain) {
  auto request = message(NFT_MSG_DELRULE, 0);
  request.put_string(NFTA_RULE_TABLE, table_);
  request.put_string(NFTA_RULE_CHAIN, chain);
  put(std::move(request), fmt::format("flush chain {}", chain));
}

void Batch::add_rule(const std::string& chain, const Rule& rule) {
  const std::unique_ptr<nftnl_rule, decltype([](nftnl_rule* r) { nftnl_rule_free(r); })> object(
      nftnl_rule_alloc());
  nftnl_rule_set_str(object.get(), NFTNL_RULE_TABLE, table_.c_str());
  nftnl_rule_set_str(object.get(), NFTNL_RULE_CHAIN, chain.c_str());
  rule.write_to(*object);

  // libnftnl writes a whole message; its attributes go into one of ours.
  alignas(nlmsghdr) std::array<char, kRuleMessageBytes> buffer;
  nlmsghdr* written = nftnl_nlmsg_build_hdr(buffer.data(), NFT_MSG_NEWRULE, NFPROTO_INET, 0, 0);
  const std::size_t header_bytes = written->nlmsg_len;
  nftnl_rule_nlmsg_build_payload(written, object.get());

  auto request = message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  request.append({reinterpret_cast<const std::uint8_t*>(buffer.data()) + header_bytes,
                  written->nlmsg_len - header_bytes});
  put(std::move(request), fmt::format("add rule {} {}", chain, rule.text()));
}

void Batch::add_elements(std::vector<Element> elements) {
  const auto count = elements.size();
  change_elements(ElementChange::kAdd, std::move(elements), count, false);
}

void Batch::delete_elements(std::vector<Element> elements) {
  const auto count = elements.size();
  change_elements(ElementChange::kDelete, std::move(elements), count, false);
}

void Batch::remove_elements(std::vector<Element> elements) {
  change_elements(ElementChange::kDelete, std::move(elements), 1, true);
}

void Batch::change_elements(ElementChange change, std::vector<Element> elements,
                            std::size_t most_per_message, bool may_be_gone) {
  std::ranges::stable_sort(elements, {}, &Element::set);
  for (std::span<Element> rest = elements; !rest.empty();) {
    operations_.push_back(next_elements(change, rest, most_per_message));
    operations_.back().may_be_gone = may_be_gone;
  }
}

// One message with the first elements of `rest` that are of one set and fit, taken off `rest`.
Batch::Operation Batch::next_elements(ElementChange change, std::span<Element>& rest,
                                      std::size_t most) const {
  const bool adding = change == ElementChange::kAdd;
  const std::string set = rest.front().set;
  Operation operation{adding ? message(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL)
                             : message(NFT_MSG_DELSETELEM, 0),
                      fmt::format("{} element {}", adding ? "add" : "delete", set),
                      {},
                      {},
                      false};
  auto& request = operation.message;
  request.put_string(NFTA_SET_ELEM_LIST_TABLE, table_);
  request.put_string(NFTA_SET_ELEM_LIST_SET, set);
  {
    const auto list = request.nest(NFTA_SET_ELEM_LIST_ELEMENTS);
    while (!rest.empty() && rest.front().set == set && operation.elements.size() < most &&
           request.size() < kElementMessageBytes) {
      auto& element = rest.front();
      operation.offsets.push_back(request.size());
      put_element(request, element, adding);
      if (element.key.size() == 1 && has_interval(element.key)) {
        const auto end = interval_end(std::get<Cidr>(element.key[0]));
        if (end) put_interval_end(request, *end);
      }
      operation.elements.push_back(std::move(element));
      rest = rest.subspan(1);
    }
  }
  return operation;
}

std::string Batch::describe(const Operation& operation, std::optional<std::size_t> offset) {
  if (operation.elements.empty()) return operation.words;
  std::size_t index = 0;
  if (offset) {
    const auto after = std::ranges::upper_bound(operation.offsets, *offset);
    index = after == operation.offsets.begin() ? 0 : after - operation.offsets.begin() - 1;
  }
  auto out = fmt::format("{} {{ {} }}", operation.words, text(operation.elements[index]));
  if (!offset && operation.elements.size() > 1) {
    out += fmt::format(" or one of the {} with it", operation.elements.size() - 1);
  }
  return out;
}

}  // namespace berth::nft
