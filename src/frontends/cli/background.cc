#include "frontends/cli/background.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>

#include "frontends/cli/output.h"

namespace berth::cli {
namespace {

// Leaves everything behind that others wait for or that could be written to: the terminal, pipes,
// the store.
void let_go() {
  ::setsid();
  (void)::chdir("/");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
  ::syscall(SYS_close_range, 3U, UINT_MAX, 0);
}

}  // namespace

void announce_in_background(Engine& engine, const std::vector<Endpoint>& endpoints) {
  const auto announcements = engine.announcements(endpoints);
  if (!announcements || announcements->empty()) return;
  // What stdio holds back is not to be written twice; _exit() below runs no destructors.
  (void)flush();
  // Twice: who announces is no child of this process, which may live on and waits for others.
  const auto between = ::fork();
  if (between > 0) ::waitpid(between, nullptr, 0);
  if (between != 0) return;
  if (::fork() != 0) ::_exit(0);
  let_go();
  ::_exit(announce(*announcements) ? 0 : 1);
}

}  // namespace berth::cli
