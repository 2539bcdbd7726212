// A sandbox with a root file system of its own, made of the machine's /usr.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "fixture.h"
#include "sandbox/own_files.h"

namespace berth::sandbox {
namespace {

namespace fs = std::filesystem;

class Rootfs : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    fs::create_directories(root("usr"));
    ASSERT_EQ(mount("/usr", root("usr").c_str(), nullptr, MS_BIND | MS_REC, nullptr), 0);
    for (const auto* name : {"bin", "lib", "lib64"}) {
      if (fs::is_symlink(fs::path("/") / name)) {
        fs::create_symlink(fs::path("usr") / name, root(name));
        continue;
      }
      fs::create_directories(root(name));  // a machine without the merged /usr
      ASSERT_EQ(mount(("/" + std::string(name)).c_str(), root(name).c_str(), nullptr,
                      MS_BIND | MS_REC, nullptr),
                0);
    }
  }
  void TearDown() override {
    for (const auto* name : {"usr", "bin", "lib", "lib64"}) {
      if (!fs::is_symlink(root(name))) umount2(root(name).c_str(), MNT_DETACH);
    }
    SandboxTest::TearDown();
  }

  std::string root(const std::string& name) const { return path("root/" + name); }
  // What `script` prints in the sandbox.
  std::string output_of(const std::string& script, bool tty = false) {
    auto spec = detached_shell(script);
    spec.rootfs = path("root");
    spec.tty = tty;
    wait_until_gone(start(spec));
    auto text = logged();
    fs::remove(log());
    return text;
  }
};

TEST_F(Rootfs, IsTheRoot) {
  EXPECT_EQ(output_of("pwd; ls /"), "/\nbin\ndev\netc\nlib\nlib64\nproc\nsys\nusr\n");
  EXPECT_EQ(output_of("ls -d /.. /../etc; ls /../../ | head -1"), "/..\n/../etc\nbin\n");
}

TEST_F(Rootfs, SeesNoMountOfTheHost) {
  const auto mounts = output_of("cut -d' ' -f5 /proc/self/mountinfo | sort -u");
  EXPECT_EQ(mounts.find("berth-sandbox"), std::string::npos) << mounts;
  EXPECT_TRUE(mounts.starts_with("/\n/dev\n")) << mounts;
}

TEST_F(Rootfs, HasItsFilesMadeWhereTheyAreMissing) {
  EXPECT_EQ(output_of("cat /etc/hosts /etc/hostname /etc/resolv.conf; hostname"),
            "10.9.8.7\tweb\nweb\nnameserver 10.9.8.1\nweb\n");
  for (const auto* name : {"etc/hosts", "etc/hostname", "etc/resolv.conf"}) {
    EXPECT_EQ(fs::file_size(root(name)), 0U) << name;
  }
}

TEST_F(Rootfs, LinksInItDoNotLeadToTheHost) {
  fs::create_directories(root("etc"));
  write_text(path("outside"), "the host's\n");
  fs::create_symlink(path("outside"), root("etc/resolv.conf"));
  EXPECT_EQ(output_of("cat /etc/resolv.conf"), "nameserver 10.9.8.1\n");
  EXPECT_EQ(read_text(path("outside")), "the host's\n");
}

TEST_F(Rootfs, HasTheUsualDevices) {
  EXPECT_EQ(output_of("ls /dev; head -c 3 /dev/zero | wc -c; echo x >/dev/null; readlink /dev/fd"),
            "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\n"
            "zero\n3\n/proc/self/fd\n");
  EXPECT_TRUE(fs::is_empty(root("dev")));
}

TEST_F(Rootfs, ItsPseudoTerminalsAreItsOwn) {
  EXPECT_EQ(output_of("ls /dev/pts; script -qc tty /dev/null </dev/null"), "ptmx\n/dev/pts/0\r\n");
}

TEST_F(Rootfs, ATerminalHasANameInside) {
  EXPECT_EQ(output_of("tty", true), "/dev/console\r\n");
}

TEST_F(Rootfs, SysIsReadOnlyAndOfItsNetwork) {
  EXPECT_EQ(output_of("ls /sys/class/net; touch /sys/x 2>/dev/null || echo read-only"),
            "lo\nread-only\n");
}

TEST_F(Rootfs, FilesThatAreReplacedFromOutsideAreRestored) {
  auto spec = detached_shell("echo up >&2; sleep 1000");
  spec.rootfs = path("root");
  const auto process = start(spec);
  await_text(log());
  const auto seen = "/proc/" + std::to_string(process.id().pid) + "/root/etc/hosts";
  EXPECT_EQ(must(restore_own_files(process.id(), path("."))), std::vector<std::string>{});
  write_text(root("etc/hosts.new"), "somebody's\n");
  fs::rename(root("etc/hosts.new"), root("etc/hosts"));
  fs::remove(root("etc/resolv.conf"));
  EXPECT_EQ(read_text(seen), "somebody's\n");
  EXPECT_EQ(must(restore_own_files(process.id(), path("."))),
            (std::vector<std::string>{"hosts", "resolv.conf"}));
  EXPECT_EQ(read_text(seen), "10.9.8.7\tweb\n");
  EXPECT_EQ(read_text(root("etc/hosts")), "somebody's\n");
  stop(process);
}

}  // namespace
}  // namespace berth::sandbox
