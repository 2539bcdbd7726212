#include "kernel/bpf/program.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/result.h"

namespace berth::kernel {
namespace {

// It uses no helper that the kernel keeps for programs under the GPL.
constexpr const char* kLicense = "Apache-2.0";

long bpf(bpf_cmd command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

template <typename T>
std::uint64_t address_of(const T* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

// The log's last lines, in one: there the verifier says what stopped it.
std::string end_of(const std::vector<char>& log) {
  constexpr std::size_t kMost = 400;
  std::string text(log.data());
  if (text.size() > kMost) text = "..." + text.substr(text.size() - kMost);
  while (text.ends_with('\n')) text.pop_back();
  std::ranges::replace(text, '\n', ';');
  return text;
}

}  // namespace

Result<UniqueFd> load_classifier(const std::string& name,
                                 std::span<const std::uint64_t> instructions) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attributes.insns = address_of(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
  attributes.license = address_of(kLicense);
  name.copy(attributes.prog_name, BPF_OBJ_NAME_LEN - 1);
  // Without a log first: it takes memory, and nobody reads that of a program that loads.
  if (const auto fd = bpf(BPF_PROG_LOAD, attributes); fd >= 0)
    return UniqueFd(static_cast<int>(fd));
  const auto operation = "load the program " + name;
  if (errno == ENOSYS)
    return fail(ErrorKind::kUnsupported, "{}: this kernel is built without bpf(2)", operation);
  if (errno == EPERM) return fail_sys(errno, "{} (CAP_BPF is needed as well)", operation);
  const int refused = errno;
  std::vector<char> log(64 * 1024);
  attributes.log_level = 1;
  attributes.log_buf = address_of(log.data());
  attributes.log_size = static_cast<std::uint32_t>(log.size());
  if (const auto fd = bpf(BPF_PROG_LOAD, attributes); fd >= 0)
    return UniqueFd(static_cast<int>(fd));
  return std::unexpected(system_error(refused, operation, end_of(log)));
}

Result<ProgramTag> tag_of(const UniqueFd& program) {
  bpf_prog_info info{};
  bpf_attr attributes{};
  attributes.info.bpf_fd = static_cast<std::uint32_t>(program.get());
  attributes.info.info_len = sizeof info;
  attributes.info.info = address_of(&info);
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) != 0) return fail_sys(errno, "look at a BPF program");
  ProgramTag tag;
  std::ranges::copy(info.tag, tag.begin());
  return tag;
}

}  // namespace berth::kernel
