// A Socket against a scripted kernel at the other end of a socket pair: the answers that the real
// one gives too rarely to wait for. What it does every day is tests/netns/kernel_link_test.cc.
#include "kernel/netlink/socket.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <thread>

namespace berth::kernel {
namespace {

using Packet = std::vector<std::uint8_t>;
using Packets = std::vector<Packet>;

// Answers the n-th packet it gets with the packets that the n-th of `replies` makes of its sequence
// number, then hangs up.
class ScriptedKernel {
 public:
  using Reply = std::function<Packets(std::uint32_t sequence)>;

  explicit ScriptedKernel(std::vector<Reply> replies) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    socket_.emplace(UniqueFd(ends[0]));
    thread_ = std::thread([kernel = UniqueFd(ends[1]), replies = std::move(replies)] {
      for (const auto& reply : replies) {
        Packet asked(65536);
        const auto size = recv(kernel.get(), asked.data(), asked.size(), 0);
        Bytes rest(asked.data(), static_cast<std::size_t>(std::max(size, ssize_t{0})));
        const auto message = MessageView::take(rest);
        if (!message) return;
        for (const auto& packet : reply(message->sequence()))
          (void)send(kernel.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~ScriptedKernel() {
    socket_.reset();
    thread_.join();
  }
  Socket& socket() { return *socket_; }

 private:
  std::optional<Socket> socket_;
  std::thread thread_;
};

template <typename Header>
Packet packet(std::uint32_t sequence, std::uint16_t type, std::uint16_t flags, Header header) {
  Message message(type, flags, header);
  const auto bytes = message.seal(sequence, 0);
  return {bytes.begin(), bytes.end()};
}

Packet link(std::uint32_t sequence, int index, std::uint16_t flags = NLM_F_MULTI) {
  return packet(sequence, RTM_NEWLINK, flags, ifinfomsg{.ifi_index = index});
}
Packet done(std::uint32_t sequence, int error = 0) {
  return packet(sequence, NLMSG_DONE, NLM_F_MULTI, std::int32_t{error});
}
Packet acknowledgement(std::uint32_t sequence, int error = 0) {
  return packet(sequence, NLMSG_ERROR, NLM_F_CAPPED, nlmsgerr{.error = error});
}

Request list_request() {
  return {{RTM_GETLINK, 0, ifinfomsg{}}, "list links"};
}
std::optional<int> index_of(const MessageView& message) {
  const auto header = message.header<ifinfomsg>();
  return header ? std::optional(header->ifi_index) : std::nullopt;
}

TEST(Socket, BeginsAnInterruptedDumpAnew) {
  ScriptedKernel kernel(
      {[](std::uint32_t seq) {
         return Packets{link(seq, 1), link(seq, 2, NLM_F_MULTI | NLM_F_DUMP_INTR), done(seq)};
       },
       [](std::uint32_t seq) { return Packets{link(seq, 1), link(seq, 3), done(seq)}; }});
  const auto found = kernel.socket().dump(list_request(), &index_of);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, (std::vector{1, 3})) << "nothing of the first attempt may be left";
}

TEST(Socket, GivesUpOnADumpThatNeverSettles) {
  ScriptedKernel kernel(std::vector<ScriptedKernel::Reply>(16, [](std::uint32_t seq) {
    return Packets{packet(seq, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 0)};
  }));
  const auto found = kernel.socket().dump(list_request(), &index_of);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message,
            "list links: the list changed during each of 16 attempts to read it");
}

TEST(Socket, ReportsTheErrorAtTheEndOfADump) {
  ScriptedKernel kernel(
      {[](std::uint32_t seq) { return Packets{link(seq, 1), done(seq, -ENODEV)}; }});
  const auto found = kernel.socket().dump(list_request(), &index_of);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "list links: No such device");
}

TEST(Socket, IgnoresAnswersToEarlierRequests) {
  ScriptedKernel kernel(
      {[](std::uint32_t seq) {
         return Packets{acknowledgement(seq - 1, -EPERM), acknowledgement(seq)};
       },
       [](std::uint32_t seq) { return Packets{link(seq - 1, 1), link(seq, 2, 0)}; }});
  EXPECT_TRUE(kernel.socket().request(list_request()));
  const auto found = kernel.socket().get(list_request(), &index_of);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, 2);
}

TEST(Socket, CutAnswersAreNoAnswers) {
  ScriptedKernel kernel({[](std::uint32_t seq) {
    auto cut = acknowledgement(seq, -EPERM);
    cut.resize(cut.size() - 1);
    return Packets{cut, acknowledgement(seq)};
  }});
  EXPECT_TRUE(kernel.socket().request(list_request()));
}

TEST(Socket, FailsWhatWasAskedWhenTheOtherEndIsGone) {
  ScriptedKernel kernel({[](std::uint32_t) { return Packets{}; }});
  const auto asked = kernel.socket().request(list_request());
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().message, "list links: the netlink socket was shut down");
}

TEST(Socket, SendsNoOversizedMessageButTheOthers) {
  ScriptedKernel kernel({[](std::uint32_t seq) { return Packets{acknowledgement(seq)}; }});
  std::vector<Request> requests;
  requests.push_back(list_request());
  requests.front().message.put_string(IFLA_IFALIAS, std::string(70000, 'x'));
  requests.push_back(list_request());
  const auto results = kernel.socket().batch(requests);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(
      results[0].error().message,
      "list links: a name, alias or list in it exceeds the 65531 bytes of a netlink attribute");
  EXPECT_TRUE(results[1]);
}

}  // namespace
}  // namespace berth::kernel
