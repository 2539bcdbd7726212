#include "base/directories.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/result.h"

namespace berth {

Status make_directories(const std::string& path, mode_t mode) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  const auto end = path.find_last_not_of('/');
  const auto slash = path.rfind('/', end);
  if (end != path.npos && slash != path.npos && slash != 0)
    TRY(make_directories(path.substr(0, slash), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return fail_sys(errno, "make directory {}", path);
  return {};
}

}  // namespace berth
