#include "kernel/netlink/socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/result.h"

namespace berth::kernel {
namespace {

// The kernel builds a dump's answers in pieces of at most 32 KiB (netlink_recvmsg:
// SKB_WITH_OVERHEAD (32768)), and no single answer that berth asks for comes near that.
constexpr std::size_t kReceiveBytes = 32768;

// What one send may hold. Each request may fail, and each answer takes up to 1.3 KiB of receive
// buffer (skb->truesize), so 64 stay well below the smallest default in use (net.core.rmem_default,
// 212992 bytes); the same default bounds the bytes of a send.
constexpr std::size_t kBatchMessages = 64;
constexpr std::size_t kBatchBytes = 65536;

// How often a dump is begun anew before its table counts as never standing still.
constexpr int kDumpAttempts = 16;

// One answer: 0 or the errno, and the kernel's sentence if it wrote one.
struct Answer {
  int sys = 0;
  std::string_view sentence;
};

// Reads NLMSG_ERROR (also the acknowledgement, sys 0) and NLMSG_DONE: both begin with the errno;
// the extended acknowledgement's attributes follow (include/uapi/linux/netlink.h, enum
// nlmsgerr_attrs).
Answer read_answer(const MessageView& message) {
  const auto error = message.header<std::int32_t>();
  if (!error) return {message.type() == NLMSG_DONE ? 0 : EBADMSG, {}};
  Answer answer{-*error, {}};
  if (!(message.flags() & NLM_F_ACK_TLVS)) return answer;

  std::size_t skip = sizeof(std::int32_t);
  if (message.type() == NLMSG_ERROR) {
    const auto whole = message.header<nlmsgerr>();
    if (!whole) return answer;
    skip = sizeof(nlmsgerr);
    if (!(message.flags() & NLM_F_CAPPED)) skip += whole->msg.nlmsg_len - sizeof(nlmsghdr);
  }
  if (const auto text = message.attributes(skip).find(NLMSGERR_ATTR_MSG))
    answer.sentence = text->str();
  return answer;
}

Status as_status(const Answer& answer, const std::string& operation) {
  if (answer.sys == 0) return {};
  return std::unexpected(system_error(answer.sys, operation, answer.sentence));
}

std::unexpected<Error> in_operation(const Error& error, const Request& request) {
  return std::unexpected(in_context(error, "{}", request.operation));
}

Status too_large(const Request& request) {
  return fail(ErrorKind::kInvalid,
              "{}: a name, alias or list in it exceeds the 65531 bytes of a netlink attribute",
              request.operation);
}

// An attach opens a socket in the namespace that it attaches, and a buffer of this size makes malloc
// tidy up all that it has. So each thread keeps that of the socket that was closed last: by a bare
// pointer, as a socket may be closed when the thread's other variables are gone (a static one).
thread_local constinit std::uint8_t* spare_buffer = nullptr;
struct FreedAtEnd {
  bool is_needed = false;  // a thread's variable that nobody uses is not made, nor destroyed
  ~FreedAtEnd() { delete[] std::exchange(spare_buffer, nullptr); }
};
thread_local FreedAtEnd freed_at_end;

}  // namespace

Socket::Buffer Socket::make_buffer() {
  freed_at_end.is_needed = true;
  if (spare_buffer == nullptr) spare_buffer = new std::uint8_t[kReceiveBytes];
  return Buffer(std::exchange(spare_buffer, nullptr));
}

void Socket::HandOn::operator()(std::uint8_t* buffer) const {
  delete[] std::exchange(spare_buffer, buffer);
}

Socket::Socket(UniqueFd fd) : fd_(std::move(fd)), buffer_(make_buffer()) {}

Result<Socket> Socket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return fail_sys(errno, "open a netlink socket of protocol {}", protocol);
  // Each option only adds detail, so a kernel or protocol that lacks one is still good to talk to.
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    const int on = 1;
    (void)::setsockopt(fd.get(), SOL_NETLINK, option, &on, sizeof on);
  }
  return Socket(std::move(fd));
}

Status Socket::request(Request request) {
  return std::move(batch({&request, 1}).front());
}

std::vector<Status> Socket::batch(std::span<Request> requests) {
  std::vector<Status> results(requests.size());
  std::size_t begin = 0;
  while (begin < requests.size()) {
    std::size_t end = begin;
    std::size_t bytes = 0;
    while (end < requests.size() && end - begin < kBatchMessages) {
      bytes += requests[end].message.size();
      if (end > begin && bytes > kBatchBytes) break;
      ++end;
    }
    send_some(requests.subspan(begin, end - begin), std::span(results).subspan(begin, end - begin));
    begin = end;
  }
  return results;
}

// Sends up to kBatchMessages requests at once and fills in their results.
void Socket::send_some(std::span<Request> requests, std::span<Status> results) {
  std::array<iovec, kBatchMessages> pieces;
  std::size_t count = 0;
  std::size_t last = 0;
  const auto first_sequence = next_sequence_;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto& message = requests[i].message;
    const auto bytes = message.seal(next_sequence_++, NLM_F_REQUEST);
    if (message.oversized()) {
      results[i] = too_large(requests[i]);
      continue;
    }
    pieces[count++] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    last = i;
  }
  if (count == 0) return;
  (void)requests[last].message.seal(first_sequence + static_cast<std::uint32_t>(last),
                                    NLM_F_REQUEST | NLM_F_ACK);

  const msghdr header{.msg_iov = pieces.data(), .msg_iovlen = count};
  ssize_t sent;
  do sent = ::sendmsg(fd_.get(), &header, 0);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    const int sys = errno;
    for (std::size_t i = 0; i < requests.size(); ++i)
      if (results[i]) results[i] = fail_sys(sys, "send '{}' to the kernel", requests[i].operation);
    return;
  }
  collect_answers(first_sequence, last, requests, results);
}

// Waits for the answer to the request at `last`, which comes after those of the others; who has
// none by then succeeded. If answers were lost, those that are there are taken and the others'
// requests fail: done or not, nobody knows.
void Socket::collect_answers(std::uint32_t first_sequence, std::size_t last,
                             std::span<Request> requests, std::span<Status> results) {
  std::array<bool, kBatchMessages> unanswered{};
  for (std::size_t i = 0; i < requests.size(); ++i) unanswered[i] = results[i].has_value();

  std::optional<Error> lost;
  while (unanswered[last]) {
    const auto received = receive(lost ? MSG_DONTWAIT : 0);
    if (!received) {
      const bool some_may_be_there = received.error().sys == ENOBUFS && !lost;
      lost = received.error();
      if (some_may_be_there) continue;
      break;
    }
    auto rest = *received;
    while (const auto message = MessageView::take(rest)) {
      const auto index = std::size_t{message->sequence() - first_sequence};
      if (message->type() != NLMSG_ERROR || index >= requests.size() || !unanswered[index])
        continue;
      results[index] = as_status(read_answer(*message), requests[index].operation);
      unanswered[index] = false;
    }
  }
  if (!lost) return;
  for (std::size_t i = 0; i < requests.size(); ++i)
    if (unanswered[i]) results[i] = in_operation(*lost, requests[i]);
}

Status Socket::send_one(Request& request, std::uint16_t flags) {
  if (request.message.oversized()) return too_large(request);
  const auto bytes = request.message.seal(next_sequence_++, NLM_F_REQUEST | flags);
  ssize_t sent;
  do sent = ::send(fd_.get(), bytes.data(), bytes.size(), 0);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_sys(errno, "send '{}' to the kernel", request.operation);
  return {};
}

Status Socket::get_message(Request& request, const Visit& visit) {
  const auto sequence = next_sequence_;
  TRY(send_one(request, 0));
  for (;;) {
    const auto received = receive(0);
    if (!received) return in_operation(received.error(), request);
    auto rest = *received;
    while (const auto message = MessageView::take(rest)) {
      if (message->sequence() != sequence) continue;
      if (message->type() == NLMSG_ERROR)
        return as_status(read_answer(*message), request.operation);
      visit(*message);
      return {};
    }
  }
}

Status Socket::dump_messages(Request& request, const std::function<void()>& restart,
                             const Visit& visit) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    if (TRY(dump_once(request, visit)) == DumpEnd::kConsistent) return {};
  }
  return std::unexpected(
      Error{ErrorKind::kKernel,
            fmt::format("{}: the list changed during each of {} attempts to read it",
                        request.operation, kDumpAttempts),
            EINTR});
}

Result<Socket::DumpEnd> Socket::dump_once(Request& request, const Visit& visit) {
  const auto sequence = next_sequence_;
  TRY(send_one(request, NLM_F_DUMP));
  bool interrupted = false;
  for (;;) {
    const auto received = receive(0);
    if (!received && received.error().sys == ENOBUFS) {
      interrupted = true;
      continue;
    }
    if (!received) return in_operation(received.error(), request);
    auto rest = *received;
    while (const auto message = MessageView::take(rest)) {
      if (message->sequence() != sequence) continue;
      if (message->flags() & NLM_F_DUMP_INTR) interrupted = true;
      if (message->type() == NLMSG_DONE || message->type() == NLMSG_ERROR) {
        TRY(as_status(read_answer(*message), request.operation));
        return interrupted ? DumpEnd::kInterrupted : DumpEnd::kConsistent;
      }
      visit(*message);
    }
  }
}

// One datagram from the kernel itself. Another process could send to this socket too: that is
// dropped.
Result<Bytes> Socket::receive(int flags) {
  for (;;) {
    sockaddr_nl from{};
    iovec piece{buffer_.get(), kReceiveBytes};
    msghdr header{
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &piece, .msg_iovlen = 1};
    const auto size = ::recvmsg(fd_.get(), &header, flags);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENOBUFS)
        return fail_sys(ENOBUFS, "the kernel's answer was lost");
      return fail_sys(errno, "read the kernel's answer");
    }
    if (size == 0) return fail(ErrorKind::kIo, "the netlink socket was shut down");
    if (from.nl_pid != 0) continue;
    if (header.msg_flags & MSG_TRUNC)
      return fail(ErrorKind::kKernel, "the kernel's answer exceeds {} bytes", kReceiveBytes);
    return Bytes(buffer_.get(), static_cast<std::size_t>(size));
  }
}

}  // namespace berth::kernel
