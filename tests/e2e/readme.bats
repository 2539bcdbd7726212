#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# What README.md shows first works as it is written there.

load helpers

README=$BATS_TEST_DIRNAME/../../README.md

setup_file() { lab_up 1; }
teardown_file() { lab_down; }

@test "the first commands, one by one" {
  # Where the program was built is not what this is about.
  sed -n '/^```/,/^```$/{s/^# //p};/^## Why/q' "$README" | grep -v '^export PATH=' >"$BATS_TEST_TMPDIR/commands"
  local command all= host
  while read -r command <&3; do
    # Mounts of one command on a lab's host are not there for the next.
    host=h1
    [[ $command != "ip netns"* ]] || host=
    for _ in $(seq 50); do
      run $host sh -ec "$command" 3>&-
      [[ $status -ne 0 && $command == *curl* ]] || break # the server's port is open a moment later
      sleep 0.1
    done
    echo "$command: $output"
    [ "$status" -eq 0 ]
    all+=$output
  done 3<"$BATS_TEST_TMPDIR/commands"
  [[ $all == *"Redistribution and use"* && $all == *"ip link add name veth"* ]]
  ip netns del blue
  ip netns del red
}
