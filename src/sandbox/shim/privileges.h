// What a process may do: its user, its capabilities (capabilities(7)), and whether programs that it
// runs may give it more. Part of berth-shim: plain libc.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "sandbox/shim/failure.h"

namespace berth::shim {

struct Privileges {
  bool has_user = false;  ///< false: stays the user that it is
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;  ///< the supplementary ones
  std::size_t group_count = 0;
  std::uint64_t capabilities = ~std::uint64_t{0};  ///< bit N: may have capability N
  bool no_new_privileges = false;
};

/// Takes these and gives up all others. A user other than root has capabilities only by programs
/// that give it some, as in Docker. Clears PR_SET_PDEATHSIG where the user changes (prctl(2)).
void take_privileges(const Privileges& privileges, const FailurePipe& failures);

}  // namespace berth::shim
