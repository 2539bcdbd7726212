#include "kernel/nft/connection.h"

#include <arpa/inet.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/result.h"
#include "kernel/nft/transaction.h"

namespace berth::nft {
namespace {

using kernel::Attributes;
using kernel::Bytes;
using kernel::Message;
using kernel::MessageView;

// Room for answers to a batch in which thousands of changes fail; a limit, taken only when needed.
constexpr int kReceiveBufferBytes = 4 << 20;

Message get(std::uint16_t type) {
  return {static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), 0,
          nfgenmsg{.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0, .res_id = 0}};
}

bool is_answer(const MessageView& message, std::uint16_t type) {
  return message.type() == (NFNL_SUBSYS_NFTABLES << 8 | type);
}

Attributes attributes_of(const MessageView& message) {
  return message.attributes(sizeof(nfgenmsg));
}

std::string string_at(const Attributes& attributes, std::uint16_t type) {
  const auto attribute = attributes.find(type);
  return attribute ? std::string(attribute->str()) : std::string();
}

Bytes bytes(const Attributes& attributes, std::uint16_t type) {
  const auto attribute = attributes.find(type);
  return attribute ? attribute->payload : Bytes();
}

Attributes nested(const Attributes& attributes, std::uint16_t type) {
  const auto attribute = attributes.find(type);
  return attribute ? attribute->nested() : Attributes();
}

std::uint32_t number(const Attributes& attributes, std::uint16_t type) {  // 0 where absent
  const auto attribute = attributes.find(type);
  return attribute ? ntohl(attribute->u32().value_or(0)) : 0;
}

std::optional<std::uint32_t> parse_generation(const MessageView& message) {
  if (!is_answer(message, NFT_MSG_NEWGEN)) return std::nullopt;
  return number(attributes_of(message), NFTA_GEN_ID);
}

std::optional<std::uint32_t> parse_table_use(const MessageView& message) {
  if (!is_answer(message, NFT_MSG_NEWTABLE)) return std::nullopt;
  return number(attributes_of(message), NFTA_TABLE_USE);
}

struct NamedSet {
  std::string table;
  std::string name;
  SetShape shape;
};

std::optional<NamedSet> parse_set(const MessageView& message) {
  if (!is_answer(message, NFT_MSG_NEWSET)) return std::nullopt;
  const auto set = attributes_of(message);
  NamedSet found{string_at(set, NFTA_SET_TABLE),
                 string_at(set, NFTA_SET_NAME),
                 {.flags = number(set, NFTA_SET_FLAGS),
                  .key_type = number(set, NFTA_SET_KEY_TYPE),
                  .key_bytes = number(set, NFTA_SET_KEY_LEN),
                  .data_type = number(set, NFTA_SET_DATA_TYPE),
                  .data_bytes = number(set, NFTA_SET_DATA_LEN)}};
  if (found.shape.data_type == NFT_DATA_VERDICT) found.shape.data_bytes = 0;
  return found;
}

struct NamedChain {
  std::string table;
  std::string name;
  TableState::Chain chain;
};

std::optional<NamedChain> parse_chain(const MessageView& message) {
  if (!is_answer(message, NFT_MSG_NEWCHAIN)) return std::nullopt;
  const auto chain = attributes_of(message);
  NamedChain found{string_at(chain, NFTA_CHAIN_TABLE), string_at(chain, NFTA_CHAIN_NAME), {}};
  if (chain.find(NFTA_CHAIN_HOOK)) {
    const auto hook = nested(chain, NFTA_CHAIN_HOOK);
    found.chain.hook = Hook{.type = string_at(chain, NFTA_CHAIN_TYPE),
                            .number = number(hook, NFTA_HOOK_HOOKNUM),
                            .priority = static_cast<int>(number(hook, NFTA_HOOK_PRIORITY))};
    found.chain.policy_accept = number(chain, NFTA_CHAIN_POLICY) == NF_ACCEPT;
  }
  return found;
}

struct RuleMark {
  std::string chain;
  std::uint64_t fingerprint;
};

std::optional<RuleMark> parse_rule(const MessageView& message) {
  if (!is_answer(message, NFT_MSG_NEWRULE)) return std::nullopt;
  const auto rule = attributes_of(message);
  return RuleMark{string_at(rule, NFTA_RULE_CHAIN),
                  fingerprint_in(bytes(rule, NFTA_RULE_USERDATA))};
}

// An element before its bytes are understood.
struct RawElement {
  using Copy = std::vector<std::uint8_t>;
  Copy key;
  Copy key_end;
  Copy data;
  std::optional<std::uint32_t> verdict;
  bool interval_end = false;
  std::string comment;
};

std::optional<std::vector<RawElement>> parse_elements(const MessageView& message) {
  if (!is_answer(message, NFT_MSG_NEWSETELEM)) return std::nullopt;
  const auto copy = [](Bytes from) { return RawElement::Copy(from.begin(), from.end()); };
  std::vector<RawElement> found;
  for (const auto& entry : nested(attributes_of(message), NFTA_SET_ELEM_LIST_ELEMENTS)) {
    const auto element = entry.nested();
    const auto data = nested(element, NFTA_SET_ELEM_DATA);
    RawElement raw;
    raw.key = copy(bytes(nested(element, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE));
    raw.key_end = copy(bytes(nested(element, NFTA_SET_ELEM_KEY_END), NFTA_DATA_VALUE));
    raw.data = copy(bytes(data, NFTA_DATA_VALUE));
    if (data.find(NFTA_DATA_VERDICT)) {
      raw.verdict = number(nested(data, NFTA_DATA_VERDICT), NFTA_VERDICT_CODE);
    }
    raw.interval_end = number(element, NFTA_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END;
    raw.comment =
        find_user_text(bytes(element, NFTA_SET_ELEM_USERDATA), NFTNL_UDATA_SET_ELEM_COMMENT);
    found.push_back(std::move(raw));
  }
  return found;
}

// The key one less than `key`.
RawElement::Copy before(RawElement::Copy key) {
  for (auto byte = key.rbegin(); byte != key.rend() && (*byte)-- == 0; ++byte) {
  }
  return key;
}

// Joins the two elements of each interval of one field into one with both keys: in order of their
// keys, an end belongs to the start before it. nft itself puts an end without a start at address
// 0; a start without an end reaches to the last address.
std::vector<RawElement> joined_intervals(std::vector<RawElement> elements) {
  std::ranges::sort(elements, [](const RawElement& a, const RawElement& b) {
    const auto order = a.key <=> b.key;
    return order != 0 ? order < 0 : a.interval_end > b.interval_end;
  });
  std::vector<RawElement> out;
  bool open = false;  // the last of `out` waits for its end
  for (auto& element : elements) {
    if (!element.interval_end) {
      element.key_end.assign(element.key.size(), 0xff);
      out.push_back(std::move(element));
      open = true;
    } else if (open) {
      out.back().key_end = before(std::move(element.key));
      open = false;
    }
  }
  return out;
}

Result<Element> understood(const RawElement& raw, const SetSpec& set) {
  Element element{.set = set.name, .key = {}, .comment = raw.comment};
  if (raw.key_end.empty()) {
    element.key = TRY(decode(set.key, raw.key));
  } else {
    element.key = TRY(decode_range(set.key, raw.key, raw.key_end));
  }
  if (set.verdicts) {
    if (raw.verdict != NF_ACCEPT && raw.verdict != NF_DROP) {
      return fail(ErrorKind::kCorrupt, "{} has a verdict other than accept and drop",
                  text(element.key));
    }
    element.verdict = raw.verdict == NF_ACCEPT ? Verdict::kAccept : Verdict::kDrop;
  } else if (set.is_map()) {
    element.data = TRY(decode(set.data, raw.data));
  }
  return element;
}

}  // namespace

bool is_stale(const Error& error) {
  return error.sys == ERESTART;
}

Connection::Connection(kernel::Socket socket) : socket_(std::move(socket)) {
  const int bytes = kReceiveBufferBytes;  // where it is not allowed, batches that fail take longer
  (void)::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
}

Result<Connection> Connection::open() {
  return Connection(TRY(kernel::Socket::open(NETLINK_NETFILTER)));
}

Status Connection::commit(Batch batch) {
  return Transaction(socket_.fd(), batch, next_sequence_).run();
}

Result<std::uint32_t> Connection::generation() {
  const auto found =
      TRY(socket_.get({get(NFT_MSG_GETGEN), "read the nft generation"}, parse_generation));
  if (!found) return fail(ErrorKind::kUnsupported, "read the nft generation: no answer");
  return *found;
}

Result<TableState> Connection::read_table(const std::string& table) {
  TableState state{.generation = TRY(generation())};

  auto table_request = get(NFT_MSG_GETTABLE);
  table_request.put_string(NFTA_TABLE_NAME, table);
  const auto use =
      socket_.get({std::move(table_request), "read table inet " + table}, parse_table_use);
  if (!use && use.error().kind == ErrorKind::kNotFound) return state;
  state.objects = TRY(use).value_or(0);
  state.exists = true;

  auto sets = get(NFT_MSG_GETSET);
  sets.put_string(NFTA_SET_TABLE, table);
  for (auto& set : TRY(socket_.dump({std::move(sets), "list sets of " + table}, parse_set))) {
    state.sets.emplace(std::move(set.name), set.shape);
  }
  // Older kernels give the chains of all tables of the family, so they are sorted out here.
  for (auto& found : TRY(socket_.dump({get(NFT_MSG_GETCHAIN), "list chains"}, parse_chain))) {
    if (found.table == table) state.chains.emplace(std::move(found.name), std::move(found.chain));
  }
  auto rules = get(NFT_MSG_GETRULE);
  rules.put_string(NFTA_RULE_TABLE, table);
  for (const auto& rule :
       TRY(socket_.dump({std::move(rules), "list rules of " + table}, parse_rule))) {
    state.chains[rule.chain].rules.push_back(rule.fingerprint);
  }
  return state;
}

Result<std::vector<Element>> Connection::list_elements(const std::string& table,
                                                       const SetSpec& set) {
  auto request = get(NFT_MSG_GETSETELEM);
  request.put_string(NFTA_SET_ELEM_LIST_TABLE, table);
  request.put_string(NFTA_SET_ELEM_LIST_SET, set.name);
  const std::string operation = "list set " + set.name;
  std::vector<RawElement> raw;
  for (auto& part : TRY(socket_.dump({std::move(request), operation}, parse_elements))) {
    std::ranges::move(part, std::back_inserter(raw));
  }
  if (set.interval && set.key.size() == 1) raw = joined_intervals(std::move(raw));

  std::vector<Element> elements;
  for (const RawElement& element : raw) {
    // What cannot be understood is none that berth has added: a range, a verdict of somebody's own.
    if (auto decoded = understood(element, set)) elements.push_back(*std::move(decoded));
  }
  std::ranges::sort(elements);
  return elements;
}

Result<bool> Connection::contains(const std::string& table, const Element& element) {
  auto request = get(NFT_MSG_GETSETELEM);
  request.put_string(NFTA_SET_ELEM_LIST_TABLE, table);
  request.put_string(NFTA_SET_ELEM_LIST_SET, element.set);
  {
    const auto list = request.nest(NFTA_SET_ELEM_LIST_ELEMENTS);
    const auto each = request.nest(NFTA_LIST_ELEM);
    const auto key = request.nest(NFTA_SET_ELEM_KEY);
    request.put(NFTA_DATA_VALUE, encode(element.key, Edge::kFirst));
  }
  const auto found = socket_.get({std::move(request), "look for an element of set " + element.set},
                                 parse_elements);
  if (!found && found.error().kind == ErrorKind::kNotFound) return false;
  return TRY(found).has_value();
}

}  // namespace berth::nft
