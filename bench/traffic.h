// TCP between two places, and what it measures: how much a connection carries, how long a byte and
// its answer take, and how many connections can be made one after another.
//
// A place is a network namespace: a socket belongs to the one that it was born in, whoever uses it.
// The server is a process of its own on the last processor that this one may run on; the client is
// a thread of this process on the first. It has one connection at a time.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "berth/address.h"
#include "kernel/netns/netns.h"

namespace berth::bench {

/// Serves as long as it lives, on every IPv4 address of its namespace.
class Server {
 public:
  Server(const kernel::Netns& netns, Port port);  ///< ends the program where that is not possible
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

 private:
  pid_t process_ = -1;
};

/// How much is measured.
struct Load {
  std::chrono::milliseconds stream;  ///< how long one connection sends all it can
  int round_trips = 0;
  int connections = 0;
};

struct Figures {
  double gigabits_per_second = 0;  ///< 10^9 bits of payload, until the server has read the last
  double round_trip_p50 = 0;       ///< microseconds for one byte and its answer
  double round_trip_p99 = 0;
  double connections_per_second = 0;  ///< each made, used for one byte and its answer, and closed
};

/// From `client` to a Server that is reached at `address`. An error where it cannot be reached.
[[nodiscard]] Result<Figures> measure(const kernel::Netns& client, const Ip& address, Port port,
                                      const Load& load);

}  // namespace berth::bench
