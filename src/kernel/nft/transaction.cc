#include "kernel/nft/transaction.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/result.h"

namespace berth::nft {
namespace {

// How often a batch that depends on no generation is sent again when the kernel asks for it.
constexpr int kAttempts = 10;

constexpr std::size_t kAnswerBytes = 8192;  // an answer takes about 100

kernel::Message frame(std::uint16_t type) {
  return {type, 0,
          nfgenmsg{.nfgen_family = NFPROTO_UNSPEC,
                   .version = NFNETLINK_V0,
                   .res_id = htons(NFNL_SUBSYS_NFTABLES)}};
}

void append(std::vector<std::uint8_t>& out, kernel::Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// A send must fit the send buffer as a whole (netlink_sendmsg). The kernel doubles what is asked
// for; without CAP_NET_ADMIN, net.core.wmem_max limits it.
void make_room(int fd, std::size_t bytes) {
  int have = 0;
  socklen_t size = sizeof have;
  const int want = static_cast<int>(bytes);
  if (::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &size) == 0 && have / 2 >= want) return;
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof want) == 0) return;
  (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof want);  // send() tells if it failed
}

}  // namespace

Status Transaction::run() {
  int attempts_left = kAttempts;
  while (!batch_.operations_.empty()) {
    TRY(send(wire_form()));
    const Answers answers = TRY(receive());
    if (answers.committed) return {};
    const auto& failures = answers.failures;
    const auto all_failures = [&](const auto& are) {
      return !failures.empty() && std::ranges::all_of(failures, are);
    };
    if (all_failures([this](const Failure& failure) { return is_harmless(failure); })) {
      drop_missing(failures);
      continue;
    }
    const bool may_pass = !batch_.generation_ && all_failures([](const Failure& failure) {
      return failure.sys == EAGAIN || failure.sys == EINTR;
    });
    if (!may_pass || --attempts_left == 0) return error(answers);
  }
  return {};
}

std::vector<std::uint8_t> Transaction::wire_form() {
  auto begin = frame(NFNL_MSG_BATCH_BEGIN);
  if (batch_.generation_) begin.put_u32(NFNL_BATCH_GENID, htonl(*batch_.generation_));
  auto end = frame(NFNL_MSG_BATCH_END);

  std::vector<std::uint8_t> out;
  begin_sequence_ = next_sequence_++;
  append(out, begin.seal(begin_sequence_, NLM_F_REQUEST));
  for (auto& operation : batch_.operations_) {
    const bool last = &operation == &batch_.operations_.back();
    const auto flags = static_cast<std::uint16_t>(NLM_F_REQUEST | (last ? NLM_F_ACK : 0));
    append(out, operation.message.seal(next_sequence_++, flags));
  }
  append(out, end.seal(next_sequence_++, NLM_F_REQUEST));
  return out;
}

Status Transaction::send(const std::vector<std::uint8_t>& bytes) const {
  make_room(fd_, bytes.size());
  ssize_t sent = 0;
  do sent = ::send(fd_, bytes.data(), bytes.size(), 0);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {};
  if (errno == EMSGSIZE) {
    return fail(ErrorKind::kPermission,
                "send {} bytes of nft changes: more than the socket's send buffer may hold; raise "
                "net.core.wmem_max or run with CAP_NET_ADMIN",
                bytes.size());
  }
  return fail_sys(errno, "send {} bytes of nft changes", bytes.size());
}

Result<Transaction::Answers> Transaction::receive() const {
  Answers answers;
  std::array<std::uint8_t, kAnswerBytes> buffer;
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = ::recvfrom(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return answers;
      if (errno != ENOBUFS) return fail_sys(errno, "read the kernel's answer to nft changes");
      answers.lost = true;
      continue;
    }
    if (from.nl_pid != 0) continue;  // not from the kernel
    kernel::Bytes rest(buffer.data(), static_cast<std::size_t>(size));
    while (const auto message = kernel::MessageView::take(rest)) read_answer(*message, answers);
    if (answers.complete && !answers.lost) return answers;
  }
}

void Transaction::read_answer(const kernel::MessageView& message, Answers& answers) const {
  const auto answer = message.header<nlmsgerr>();
  const auto index = message.sequence() - begin_sequence_;  // wraps for an earlier batch's answer
  if (message.type() != NLMSG_ERROR || !answer || index > batch_.operations_.size()) return;
  // The last operation asks for an answer, and the kernel gives them in order when all is decided
  // (nfnl_err_deliver).
  answers.complete = index == batch_.operations_.size();
  if (answer->error == 0) {
    answers.committed = answers.complete && answers.failures.empty();
    return;
  }
  Failure failure{.operation = {}, .sys = -answer->error};
  if (index > 0) failure.operation = index - 1;
  if (message.flags() & NLM_F_ACK_TLVS) {
    std::size_t skip = sizeof(nlmsgerr);
    if (!(message.flags() & NLM_F_CAPPED)) skip += answer->msg.nlmsg_len - sizeof(nlmsghdr);
    const auto attributes = message.attributes(skip);
    if (const auto words = attributes.find(NLMSGERR_ATTR_MSG)) failure.sentence = words->str();
    if (const auto offset = attributes.find(NLMSGERR_ATTR_OFFS)) failure.offset = offset->u32();
  }
  answers.committed = false;
  answers.failures.push_back(std::move(failure));
}

// A removal of what is gone already is no failure of the batch.
bool Transaction::is_harmless(const Failure& failure) const {
  return failure.sys == ENOENT && failure.operation &&
         batch_.operations_[*failure.operation].may_be_gone;
}

void Transaction::drop_missing(const std::vector<Failure>& failures) {
  std::vector<bool> missing(batch_.operations_.size());
  for (const Failure& failure : failures) missing[*failure.operation] = true;
  std::size_t index = 0;
  std::erase_if(batch_.operations_, [&](const auto&) { return missing[index++]; });
}

// The first failure is the one to tell: a missing table, say, fails everything after it as well.
std::unexpected<Error> Transaction::error(const Answers& answers) const {
  const auto first = std::ranges::find_if_not(
      answers.failures, [this](const Failure& failure) { return is_harmless(failure); });
  if (first == answers.failures.end()) {
    return fail(ErrorKind::kIo, "commit {} nft changes: the kernel's answer was {}",
                batch_.operations_.size(), answers.lost ? "lost" : "missing");
  }
  const std::string what =
      first->operation ? Batch::describe(batch_.operations_[*first->operation], first->offset)
                       : "change table inet " + batch_.table_;
  return std::unexpected(system_error(first->sys, what, first->sentence));
}

}  // namespace berth::nft
