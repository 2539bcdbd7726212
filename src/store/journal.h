// The journal: the change that is under way, for somebody else to settle should its process die.
//
// Theory of operation: one entry in one file, written in place: the text first, then the header
// before it (the entry's id and the text's length) in one write within a page, which is there or
// not whatever kills the process. To drop the entry is to blank its id. That costs an attach some
// microseconds, where a commit of the store that is only there to be taken back at once costs six
// pages of its log.
//
// The record of a change in the store names the entry's id: an entry that is there although its
// change is recorded was about to be dropped. Nothing is synced: what an entry tells of is in the
// kernel, and gone when the machine goes down; whoever notices that drops the entry unread.
//
// Concurrency: read, write and drop under the instance lock; empty() without. Debugging: `cat`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "berth/result.h"

namespace berth::store {

class Journal {
 public:
  struct Entry {
    std::string id;  ///< 1 to 15 bytes, no blanks
    std::string text;
  };

  /// One that holds nothing and takes nothing: for who makes no changes.
  Journal() = default;
  /// The file at `path`, made with mode 0600 where missing.
  [[nodiscard]] static Result<Journal> open(const std::string& path);

  [[nodiscard]] Result<bool> empty() const;
  /// The entry; nullopt if there is none. kCorrupt if its text is not all there.
  [[nodiscard]] Result<std::optional<Entry>> read() const;
  /// Puts an entry in place of what is there. After an error there is none.
  [[nodiscard]] Status write(std::string_view id, std::string_view text);
  /// Nothing there is fine.
  [[nodiscard]] Status drop();

 private:
  explicit Journal(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace berth::store
