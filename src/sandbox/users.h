// Users by the names that a sandbox's /etc/passwd and /etc/group give them, as `docker exec --user`
// reads them (moby/sys, user/user.go, GetExecUser).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "berth/result.h"

namespace berth::sandbox {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups = {};  ///< the supplementary ones
  std::string home = "/";
};

/// USER[:GROUP], each a name or a number, an empty USER 0. A number needs no entry: its group is 0
/// then. Supplementary groups are those that list the user, and none if GROUP is given. `passwd`
/// and `group` are the files' texts; lines that are not well-formed count for nothing.
[[nodiscard]] Result<User> find_user(std::string_view text, std::string_view passwd,
                                     std::string_view group);

/// The same with the files of the root directory `root`; one that is not there is empty.
[[nodiscard]] Result<User> find_user_in(const std::string& root, std::string_view text);

}  // namespace berth::sandbox
