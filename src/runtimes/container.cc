#include "runtimes/container.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/result.h"
#include "base/unique_fd.h"
#include "runtimes/command.h"
#include "runtimes/http.h"

namespace berth::runtimes {
namespace {

constexpr std::string_view kDocker = "docker:", kPodman = "podman:", kOci = "oci:";
constexpr std::size_t kMaxStateBytes = 1 << 20;

// Where runtimes keep the state of container ID, most used first: runc and crun by themselves, runc
// below Docker and below containerd.
constexpr std::array kStateFiles = {
    std::pair{"/run/runc/", "/state.json"},
    std::pair{"/run/crun/", "/status"},
    std::pair{"/run/docker/runtime-runc/moby/", "/state.json"},
    std::pair{"/run/containerd/runc/default/", "/state.json"},
    std::pair{"/run/containerd/runc/k8s.io/", "/state.json"},
};

// Docker's rule for names (daemon/names), which podman and the OCI runtimes share; ids follow it.
Status check_name(std::string_view name) {
  const auto is_fine = [](unsigned char byte) {
    return std::isalnum(byte) || byte == '_' || byte == '.' || byte == '-' || byte == '+';
  };
  bool fine = !name.empty() && std::isalnum(static_cast<unsigned char>(name.front())) != 0;
  for (const char byte : name) fine = fine && is_fine(static_cast<unsigned char>(byte));
  if (fine && name.size() <= 255) return {};
  return fail(ErrorKind::kInvalid, "'{}' is no name of a container: give letters, digits, _ . -",
              name);
}

Result<ContainerProcess> running(std::int64_t pid) {
  if (pid <= 0) return fail(ErrorKind::kNotFound, "the container is not running: start it first");
  if (pid > std::numeric_limits<pid_t>::max())
    return fail(ErrorKind::kInvalid, "{} is no number of a process", pid);
  return ContainerProcess{static_cast<pid_t>(pid), std::nullopt};
}

// `key`: where the process's number stands.
template <typename Body>
Result<ContainerProcess> read_document(std::string_view what, std::string_view key,
                                       std::string_view json, Body body) {
  try {
    return body(nlohmann::json::parse(json));
  } catch (const nlohmann::json::parse_error&) {
    return fail(ErrorKind::kInvalid, "{} is no JSON", what);
  } catch (const nlohmann::json::exception&) {
    return fail(ErrorKind::kInvalid, "{} has no number of a process in {}", what, key);
  }
}

Result<ContainerProcess> ask_docker(std::string_view name, const std::string& docker_host) {
  constexpr std::string_view kScheme = "unix://";
  if (!docker_host.starts_with(kScheme))
    return fail(ErrorKind::kUnsupported,
                "DOCKER_HOST={}: its containers are on another host; give unix://SOCKET",
                docker_host);
  const auto answer =
      TRY(http_get(docker_host.substr(kScheme.size()), fmt::format("/containers/{}/json", name)));
  if (answer.status == 404) return fail(ErrorKind::kNotFound, "Docker has no such container");
  if (answer.status != 200)
    return fail(ErrorKind::kIo, "Docker answers with the HTTP status {}", answer.status);
  return read_docker_answer(answer.body);
}

Result<ContainerProcess> ask_podman(std::string_view name) {
  const auto answer = TRY(output_of({"podman", "inspect", "--type", "container", "--format",
                                     "{{.State.Pid}}", "--", std::string(name)},
                                    std::chrono::seconds(10)));
  if (answer.exit_code != 0)
    return fail(ErrorKind::kNotFound, "podman says: {}",
                std::string_view(answer.err).substr(0, answer.err.find('\n')));
  std::int64_t pid = -1;
  const auto end = answer.out.data() + answer.out.size();
  const auto [stop, error] = std::from_chars(answer.out.data(), end, pid);
  if (error != std::errc{} || (stop != end && *stop != '\n'))
    return fail(ErrorKind::kIo, "podman prints no process number but '{}'",
                std::string_view(answer.out).substr(0, answer.out.find('\n')));
  return running(pid);
}

Result<std::string> read_all(int fd, std::string_view what) {
  std::string text;
  char bytes[4096];
  for (;;) {
    const auto count = ::read(fd, bytes, sizeof bytes);
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_sys(errno, "read {}", what);
    text.append(bytes, static_cast<std::size_t>(count));
    if (text.size() > kMaxStateBytes)
      return fail(ErrorKind::kInvalid, "{} is too long for a container's state", what);
  }
}

Result<std::string> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return fail_sys(errno, "open {}", path);
  return read_all(file.get(), path);
}

// A second look at it would find it empty.
const Result<std::string>& standard_input() {
  static const auto text = read_all(STDIN_FILENO, "standard input");
  return text;
}

Result<std::string> find_state(std::string_view which) {
  if (which == "-") return standard_input();
  if (which.find('/') != which.npos) return read_file(std::string(which));
  const auto is_id = check_name(which);
  if (is_id) {
    for (const auto& [root, file] : kStateFiles) {
      auto text = read_file(fmt::format("{}{}{}", root, which, file));
      if (text || text.error().kind != ErrorKind::kNotFound) return text;
    }
  }
  auto text = read_file(std::string(which));
  if (text || text.error().kind != ErrorKind::kNotFound) return text;
  if (!is_id) return std::unexpected(is_id.error());
  return fail(
      ErrorKind::kNotFound,
      "neither runc nor crun has a container of that id, and there is no file of that name: "
      "give the id, or the file of its state");
}

}  // namespace

bool is_container(std::string_view reference) {
  return reference.starts_with(kDocker) || reference.starts_with(kPodman) ||
         reference.starts_with(kOci);
}

Result<ContainerProcess> find_process(std::string_view reference, const std::string& docker_host) {
  const auto find = [&]() -> Result<ContainerProcess> {
    const auto name = reference.substr(reference.find(':') + 1);
    if (reference.starts_with(kOci)) return read_oci_state(TRY(find_state(name)));
    TRY(check_name(name));
    return reference.starts_with(kDocker) ? ask_docker(name, docker_host) : ask_podman(name);
  };
  auto found = find();
  if (!found) return std::unexpected(in_context(found.error(), "{}", reference));
  return found;
}

Result<ContainerProcess> read_docker_answer(std::string_view json) {
  return read_document("Docker's answer", "State.Pid", json, [](const nlohmann::json& document) {
    return running(document.at("State").at("Pid").get<std::int64_t>());
  });
}

Result<ContainerProcess> read_oci_state(std::string_view json) {
  const auto read = [](const nlohmann::json& state) -> Result<ContainerProcess> {
    if (state.value("status", "") == "stopped") return running(0);
    if (!state.contains("init_process_pid")) return running(state.at("pid").get<std::int64_t>());
    auto process = TRY(running(state.at("init_process_pid").get<std::int64_t>()));
    if (const auto start = state.find("init_process_start"); start != state.end())
      process.start_time = start->get<std::uint64_t>();
    return process;
  };
  return read_document("the container's state", "pid or init_process_pid", json, read);
}

}  // namespace berth::runtimes
