// A conversation with the kernel over one netlink socket.
//
// Theory of operation: the kernel handles every message of a send before the send returns, in
// order, and goes on after one that fails (netlink_rcv_skb); what fails is answered, and so is what
// asks for it, by an acknowledgement that waits in the socket's receive buffer. Only the last of a
// batch asks, so a batch costs one system call to ask, one for its end and one per failure, and asks
// no more at once than the answers have room for. NETLINK_EXT_ACK makes the kernel
// say in words what it did not like, NETLINK_CAP_ACK keeps it from repeating the request, and
// NETLINK_GET_STRICT_CHK makes dumps obey their filters.
//
// A dump that the kernel marks as interrupted (NLM_F_DUMP_INTR: the table changed half-way) or
// whose buffer overflowed (ENOBUFS) is begun anew, so a dump is one consistent picture or an error.
//
// Namespace: a socket speaks for the network namespace in which it was opened, whatever the calling
// thread does later (open_socket_in of netns.h opens one elsewhere).
// Threads: a Socket belongs to one thread at a time. Ownership: it closes its descriptor.
// Debugging: `strace -e trace=%net` decodes what is sent; `ip monitor` shows what came of it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "berth/result.h"
#include "kernel/netlink/message.h"

namespace berth::kernel {

/// A message and what it asks for in words; errors read "<operation>: <strerror> (kernel:
/// <words>)".
struct Request {
  Message message;
  std::string operation;  ///< e.g. "add link veth3a9f00 (veth)"
};

class Socket {
 public:
  /// A socket of `protocol` (NETLINK_ROUTE, NETLINK_NETFILTER, ...) in the calling thread's network
  /// namespace.
  [[nodiscard]] static Result<Socket> open(int protocol);

  /// Takes over a netlink socket that is set up already.
  explicit Socket(UniqueFd fd);

  /// One request, done or refused.
  [[nodiscard]] Status request(Request request);

  /// All of `requests`, in order and in as few sends as possible: one result each. A failing
  /// request does not stop those after it.
  [[nodiscard]] std::vector<Status> batch(std::span<Request> requests);

  /// Reads one message: nullopt if it is none that the caller wants.
  template <typename T>
  using Parse = std::optional<T> (*)(const MessageView&);

  /// Every object that `request` lists, as `parse` reads it.
  template <typename T>
  [[nodiscard]] Result<std::vector<T>> dump(Request request, Parse<T> parse) {
    std::vector<T> found;
    const auto done = dump_messages(
        request, [&] { found.clear(); },
        [&](const MessageView& message) {
          if (auto object = parse(message)) found.push_back(std::move(*object));
        });
    if (!done) return std::unexpected(done.error());
    return found;
  }

  /// The one object that `request` asks for; nullopt if `parse` made nothing of the answer.
  template <typename T>
  [[nodiscard]] Result<std::optional<T>> get(Request request, Parse<T> parse) {
    std::optional<T> found;
    const auto done =
        get_message(request, [&](const MessageView& message) { found = parse(message); });
    if (!done) return std::unexpected(done.error());
    return found;
  }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  using Visit = std::function<void(const MessageView&)>;
  enum class DumpEnd { kConsistent, kInterrupted };

  [[nodiscard]] Status dump_messages(Request& request, const std::function<void()>& restart,
                                     const Visit& visit);
  [[nodiscard]] Result<DumpEnd> dump_once(Request& request, const Visit& visit);
  [[nodiscard]] Status get_message(Request& request, const Visit& visit);

  void send_some(std::span<Request> requests, std::span<Status> results);
  void collect_answers(std::uint32_t first_sequence, std::size_t last, std::span<Request> requests,
                       std::span<Status> results);
  [[nodiscard]] Status send_one(Request& request, std::uint16_t flags);
  [[nodiscard]] Result<Bytes> receive(int flags);

  struct HandOn {
    void operator()(std::uint8_t* buffer) const;
  };
  using Buffer = std::unique_ptr<std::uint8_t[], HandOn>;
  static Buffer make_buffer();

  UniqueFd fd_;
  Buffer buffer_;
  std::uint32_t next_sequence_ = 1;  // 0 is what the kernel's own notifications carry
};

}  // namespace berth::kernel
