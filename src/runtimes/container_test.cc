#include "runtimes/container.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtimes/command.h"
#include "runtimes/http.h"

namespace berth::runtimes {
namespace {

void expect_refused(const Result<ContainerProcess>& result, ErrorKind kind, const char* said) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, kind) << result.error().message;
  EXPECT_NE(result.error().message.find(said), std::string::npos) << result.error().message;
}

TEST(OciState, ReadsEveryForm) {
  const auto spec = read_oci_state(
      R"({"ociVersion": "1.0.2", "id": "web", "status": "running", "pid": 4711, "bundle": "/b"})");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->pid, 4711);
  EXPECT_FALSE(spec->start_time);
  const auto runc =
      read_oci_state(R"({"id": "web", "init_process_pid": 12, "init_process_start": 99})");
  ASSERT_TRUE(runc);
  EXPECT_EQ(runc->pid, 12);
  EXPECT_EQ(runc->start_time, 99U);
}

TEST(OciState, RefusesWhatSaysNoProcess) {
  expect_refused(read_oci_state(R"({"status": "stopped", "pid": 4711})"), ErrorKind::kNotFound,
                 "not running");
  expect_refused(read_oci_state(R"({"pid": 0})"), ErrorKind::kNotFound, "not running");
  expect_refused(read_oci_state(R"({"id": "web"})"), ErrorKind::kInvalid, "pid");
  expect_refused(read_oci_state(R"({"pid": "x"})"), ErrorKind::kInvalid,
                 "the container's state has no number of a process in pid");
  expect_refused(read_oci_state("[]"), ErrorKind::kInvalid, "has no number of a process");
  expect_refused(read_oci_state("{"), ErrorKind::kInvalid, "the container's state is no JSON");
  expect_refused(read_oci_state(R"({"pid": 4294967297})"), ErrorKind::kInvalid, "no number");
}

TEST(DockerAnswer, HasTheProcess) {
  const auto found = read_docker_answer(R"({"Id": "ab", "State": {"Running": true, "Pid": 42}})");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pid, 42);
  expect_refused(read_docker_answer(R"({"State": {"Pid": 0}})"), ErrorKind::kNotFound,
                 "not running");
  expect_refused(read_docker_answer("{}"), ErrorKind::kInvalid, "Docker");
}

TEST(Container, NamesAreCheckedBeforeAnybodyIsAsked) {
  for (const auto* name : {"docker:", "docker:a/b", "docker:-x", "podman:a b", "podman:$(id)"})
    expect_refused(find_process(name, "unix:///nowhere"), ErrorKind::kInvalid, "name");
  EXPECT_TRUE(is_container("docker:web"));
  EXPECT_FALSE(is_container("web"));
  EXPECT_FALSE(is_container("netns:/run/netns/docker:web"));
}

TEST(Container, WhoDoesNotAnswerIsNamed) {
  expect_refused(find_process("docker:web", "unix:///nowhere"), ErrorKind::kIo, "/nowhere");
  expect_refused(find_process("docker:web", "tcp://127.0.0.1:1"), ErrorKind::kUnsupported,
                 "DOCKER_HOST");
  expect_refused(find_process("oci:/nowhere/state.json", ""), ErrorKind::kNotFound, "/nowhere");
  expect_refused(find_process("oci:nobody-has-this", ""), ErrorKind::kNotFound, "runc");
}

TEST(Container, AFileNeedsNoSlash) {
  std::string directory = testing::TempDir() + "berth-oci-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  std::ofstream(directory + "/state.json") << R"({"pid": 4711})";
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory);
  const auto found = find_process("oci:state.json", "");
  std::filesystem::current_path(before);
  std::filesystem::remove_all(directory);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->pid, 4711);
}

TEST(Command, GivesWhatIsPrintedAndHowItEnded) {
  const auto output =
      output_of({"sh", "-c", "echo out; echo err >&2; exit 3"}, std::chrono::seconds(10));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_code, 3);
  EXPECT_EQ(output->out, "out\n");
  EXPECT_EQ(output->err, "err\n");
}

TEST(Command, IsBounded) {
  const auto slow = output_of({"sleep", "60"}, std::chrono::milliseconds(50));
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().message, "sleep does not answer");
  const auto chatty = output_of({"yes"}, std::chrono::seconds(10));
  ASSERT_FALSE(chatty);
  EXPECT_EQ(chatty.error().message, "yes prints too much");
  EXPECT_EQ(output_of({"no-such-program"}, std::chrono::seconds(1)).error().kind,
            ErrorKind::kNotFound);
}

}  // namespace
}  // namespace berth::runtimes
