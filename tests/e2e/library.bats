#!/usr/bin/env bats
# The example program of the library does what it says, and takes everything back.

load helpers

setup_file() { lab_up 1; }
teardown_file() { lab_down; }

@test "examples/attach.cc" {
  ip netns add example
  snapshot >"$BATS_TEST_TMPDIR/before"
  run h1 "$BERTH_EXAMPLE" /run/netns/example
  [ "$status" -eq 0 ]
  [[ $output == *"type bridge"* && $output == *"network web has subnet 172.18.0.0/16"* ]]
  [[ $output == *"is 172.18.0.2, port 8080 of the host leads to its port 80"* ]]
  diff "$BATS_TEST_TMPDIR/before" <(snapshot)
  run ip -n example -o link
  [[ $output != *eth0* ]]
  ip netns del example
}

@test "examples/attach.cc: an error is one sentence" {
  run h1 "$BERTH_EXAMPLE" /run/netns/missing
  [ "$status" -eq 1 ]
  [[ $output == *"/run/netns/missing"* ]]
}
