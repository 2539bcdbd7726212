#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# What the caller of berth has or is decides nothing: directory, streams, umask, signals.

load helpers

setup_file() {
  lab_up 1
  h1 berth network create --subnet 10.1.0.0/24 net
}
teardown_file() { lab_down; }

@test "a detached sandbox and its helpers keep no directory of the caller busy" {
  mkdir "$BATS_TEST_TMPDIR/here"
  mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/here"
  cd "$BATS_TEST_TMPDIR/here"
  h1 berth run -d --name s1 --network net -- sleep 1000
  h1 berth exec -d s1 -- sleep 1000
  h1 berth sandbox create lone
  h1 berth exec -d lone -- sleep 1000
  cd /
  umount "$BATS_TEST_TMPDIR/here"
  local pid
  pid=$(inspect s1 '.[0].State.Pid')
  [ "$(readlink "/proc/$pid/cwd")" = / ]
  [ "$(h1 berth run --rm --network net -- pwd)" = / ]
  h1 berth rm -f s1 lone
}

@test "streams that are closed, or cannot be written, do not make a sandbox one that does not run" {
  h1 sh -c 'berth run -d --name s1 --network net -- sleep 1000 >&-'
  h1 sh -c 'berth run -d --name s2 --network net -- sleep 1000 <&- >&- 2>&-'
  run --separate-stderr h1 sh -c 'berth run -d --name s3 --network net -- sleep 1000 >/dev/full'
  [ "$status" -eq 0 ]
  [[ $stderr == *"s3 runs, but its id was not printed: "*"No space left"* ]]
  [ "$(echo $(h1 berth ps --format '{{.Names}}'))" = "s3 s2 s1" ]
  # Nor does what is printed go into a file that took the number of a stream.
  run h1 sh -c 'berth ps -q 2>&- <&- | wc -l; berth network rm nowhere 2>&- >&-'
  [ "${lines[0]}" = 3 ]
  run h1 sh -c 'berth run --rm --network net -- sh -c "echo lost; exit 7" <&- >&- 2>&-'
  [ "$status" -eq 7 ]
  h1 berth rm -f s1 s2 s3
}

@test "an umask of 0 makes nothing that others can write" {
  local dir=$BATS_TEST_TMPDIR/instance
  h1 sh -c "umask 0; exec berth --root $dir/a/root --run $dir/b/run run -d --name s1 --network none -- sleep 1000"
  run find "$dir" -perm /022 ! -type s ! -type l
  [ -z "$output" ]
  h1 berth --root "$dir/a/root" --run "$dir/b/run" rm -f s1
}

@test "signals that the caller blocks or ignores are the sandbox's again, and ends are told" {
  run h1 env --ignore-signal=CHLD --ignore-signal=TERM --block-signal=TERM \
    berth run --name s1 --network net -- sh -c 'grep -E "Sig(Blk|Ign)" /proc/self/status; exit 5'
  [ "$status" -eq 5 ]
  [[ $output == *"SigBlk:"*0000000000000000*"SigIgn:"*0000000000000000* ]]
  [ "$(inspect s1 '.[0].State.ExitCode')" = 5 ]
  h1 berth rm s1
}
