// One batch on its way to the kernel: internal to Connection::commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "berth/result.h"
#include "kernel/nft/batch.h"

namespace berth::nft {

class Transaction {
 public:
  Transaction(int fd, Batch& batch, std::uint32_t& next_sequence)
      : fd_(fd), batch_(batch), next_sequence_(next_sequence) {}

  /// Sends until it is committed or failed for good.
  [[nodiscard]] Status run();

 private:
  struct Failure {
    std::optional<std::size_t> operation;  ///< its index; none: the batch as a whole
    int sys = 0;
    std::string sentence{};               ///< the kernel's, may be empty
    std::optional<std::size_t> offset{};  ///< of the attribute at fault in the message
  };
  struct Answers {
    bool committed = false;
    bool complete = false;  ///< no more will come
    bool lost = false;      ///< some did not fit the receive buffer
    std::vector<Failure> failures;
  };

  [[nodiscard]] std::vector<std::uint8_t> wire_form();
  [[nodiscard]] Status send(const std::vector<std::uint8_t>& bytes) const;
  [[nodiscard]] Result<Answers> receive() const;
  void read_answer(const kernel::MessageView& message, Answers& answers) const;
  [[nodiscard]] bool is_harmless(const Failure& failure) const;
  void drop_missing(const std::vector<Failure>& failures);
  [[nodiscard]] std::unexpected<Error> error(const Answers& answers) const;

  int fd_;
  Batch& batch_;
  std::uint32_t& next_sequence_;
  std::uint32_t begin_sequence_ = 0;  ///< of BATCH_BEGIN; the operations count on from there
};

}  // namespace berth::nft
