// The processes of containers that somebody else's runtime runs: which one `docker:web` is.
//
// Each runtime is asked in its own way: Docker by its Engine API on a Unix socket (GET
// /containers/NAME/json, docs.docker.com/reference/api/engine), podman by the program (podman-inspect
// (1)), and for an OCI runtime its state is read (runtime-spec, "State"; runc keeps its own form in
// ROOT/ID/state.json, crun in ROOT/ID/status). Every answer is bounded in size and time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "berth/result.h"

namespace berth::runtimes {

struct ContainerProcess {
  pid_t pid = 0;
  std::optional<std::uint64_t> start_time;  ///< clock ticks since boot, where the runtime says
};

/// docker:NAME, podman:NAME, oci:ID, oci:FILE (an id comes before a file of that name
/// without a '/'), oci:- (standard input)?
[[nodiscard]] bool is_container(std::string_view reference);

/// The first process of that container. kNotFound where there is none of that name or it does not
/// run, kInvalid for a name that none can have, kIo where the runtime does not answer.
/// `docker_host`: as Docker's DOCKER_HOST, unix://PATH.
[[nodiscard]] Result<ContainerProcess> find_process(std::string_view reference,
                                                    const std::string& docker_host);

/// What a state document of an OCI runtime says, in the form of the runtime-spec, of runc's
/// state.json or of crun's status. For find_process and its tests.
[[nodiscard]] Result<ContainerProcess> read_oci_state(std::string_view json);
/// What Docker's /containers/NAME/json says.
[[nodiscard]] Result<ContainerProcess> read_docker_answer(std::string_view json);

}  // namespace berth::runtimes
