#include "store/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/result.h"
#include "store/disk.h"

namespace berth::store {
namespace {

// "ID              LENGTH         \n": two columns and the end of the line.
constexpr std::size_t kColumn = 16;
constexpr std::size_t kHeader = 2 * kColumn;
using Header = std::array<char, kHeader>;

// Enough for the removal of some hundred sandboxes at once.
constexpr std::size_t kReserved = 256 << 10;

Header blank_header() {
  Header header;
  header.fill(' ');
  header.back() = '\n';
  return header;
}

std::string_view column(const Header& header, std::size_t number) {
  const std::string_view text(header.data() + number * kColumn, kColumn);
  return text.substr(0, text.find_first_of(" \n"));
}

Status write_all(int fd, std::string_view bytes, std::size_t at) {
  while (!bytes.empty()) {
    const auto written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_sys(errno, "write the journal");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::size_t>(written);
  }
  return {};
}

Status write_header(int fd, const Header& header) {
  return write_all(fd, {header.data(), header.size()}, 0);
}

// How much of `size` bytes is there.
Result<std::size_t> read_some(int fd, char* bytes, std::size_t size, std::size_t at) {
  std::size_t done = 0;
  while (done < size) {
    const auto got = ::pread(fd, bytes + done, size - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_sys(errno, "read the journal");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<Header> read_header(int fd) {
  auto header = blank_header();
  (void)TRY(read_some(fd, header.data(), header.size(), 0));
  return header;
}

}  // namespace

Result<Journal> Journal::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno == EROFS) {  // what is in it can be read, and nothing changes
    fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd && errno == ENOENT) return Journal();
  }
  if (!fd) return fail_sys(errno, "open {}", path);
  reserve(fd.get(), kReserved);
  return Journal(std::move(fd));
}

Result<bool> Journal::empty() const {
  if (!fd_) return true;
  return column(TRY(read_header(fd_.get())), 0).empty();
}

Result<std::optional<Journal::Entry>> Journal::read() const {
  if (!fd_) return std::nullopt;
  const auto header = TRY(read_header(fd_.get()));
  Entry entry{std::string(column(header, 0)), {}};
  if (entry.id.empty()) return std::nullopt;
  struct stat file;
  if (::fstat(fd_.get(), &file) != 0) return fail_sys(errno, "look at the journal");
  const auto length = column(header, 1);
  std::size_t size = 0;
  const auto parsed = std::from_chars(length.begin(), length.end(), size);
  if (parsed.ec != std::errc{} || parsed.ptr != length.end() ||
      size + kHeader > static_cast<std::size_t>(file.st_size))
    return fail(ErrorKind::kCorrupt, "the journal's entry {} is not all there", entry.id);
  entry.text.resize(size);
  if (TRY(read_some(fd_.get(), entry.text.data(), size, kHeader)) != size)
    return fail(ErrorKind::kCorrupt, "the journal's entry {} is not all there", entry.id);
  return entry;
}

Status Journal::write(std::string_view id, std::string_view text) {
  if (!fd_) return fail(ErrorKind::kIo, "there is no journal to write to");
  auto header = blank_header();
  std::ranges::copy(id.substr(0, kColumn - 1), header.begin());
  std::to_chars(&header[kColumn], &header.back(), text.size());
  if (!TRY(empty())) TRY(drop());
  TRY(write_all(fd_.get(), text, kHeader));
  return write_header(fd_.get(), header);
}

Status Journal::drop() {
  if (!fd_) return {};
  return write_header(fd_.get(), blank_header());
}

}  // namespace berth::store
