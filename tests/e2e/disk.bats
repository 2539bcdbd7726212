#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The state on a disk that is full or read-only.

load helpers

setup_file() { lab_up 1; }
teardown_file() { lab_down; }

setup() {
  state=$BATS_TEST_TMPDIR/state
  mkdir "$state"
  mount -t tmpfs -o size=6m tmpfs "$state"
  on_disk network create --subnet 10.5.0.0/24 disk
}
teardown() {
  mount -o remount,bind,rw "$state"
  on_disk system reset -f
  umount "$state"
}

on_disk() { h1 berth --root "$state/root" --run "$BATS_TEST_TMPDIR/run" "$@"; }

everything_can_be_read() {
  [[ $(on_disk ps) == *s1* ]]
  [ "$(on_disk inspect s1 | jq -r '.[0].State.Status')" = running ]
  [ "$(on_disk exec s1 echo here)" = here ]
  [[ $(on_disk network ls) == *disk* ]]
  [[ $(on_disk network inspect disk) == *10.5.0.2* ]]
  [[ $(on_disk port s1) == *8085* ]]
  [ "$(on_disk logs s1)" = logged ]
  on_disk system info
}

@test "a read-only disk: what reads goes on, and what changes says why not" {
  on_disk run -d --name s1 --network disk -p 8085:80 -- sh -c 'echo logged; exec sleep 1000'
  on_disk run -d --name s2 --network disk -- sleep 1000
  local pid
  pid=$(on_disk inspect s2 | jq -r '.[0].State.Pid')
  mount -o remount,bind,ro "$state"
  # An end that cannot be recorded.
  kill -9 "$(awk '{print $4}' "/proc/$pid/stat")"
  everything_can_be_read
  for change in 'network create other' 'network rm disk' 'run -d --name s3 --network disk sleep 1' 'rm -f s1' \
    'network connect disk s1'; do
    run on_disk $change
    [ "$status" -ne 0 ]
    [[ $output == *"Read-only file system"* && $output != *"as root"* ]]
  done
  mount -o remount,bind,rw "$state"
  [ "$(on_disk inspect s2 | jq -r '.[0].State.Status')" = exited ]
}

@test "a read-only disk after a restart of the machine: the state can be read" {
  on_disk run -d --name s1 --network disk -- sleep 1000
  h1 sqlite3 "$state/root/berth.db" "UPDATE kv SET value = 'another boot' WHERE key = CAST('meta/boot' AS BLOB)"
  mount -o remount,bind,ro "$state"
  [[ $(on_disk network ls) == *disk* ]]
}

@test "a store without its log on a read-only disk can be read" {
  h1 sqlite3 "$state/root/berth.db" "PRAGMA wal_checkpoint(TRUNCATE)"
  rm -f "$state"/root/berth.db-*
  mount -o remount,bind,ro "$state"
  [[ $(on_disk network ls) == *disk* ]]
  run on_disk network rm disk
  [ "$status" -ne 0 ]
  [[ $output == *"Read-only file system"* ]]
}

@test "a full disk: what reads goes on, and what is there can be removed" {
  local links
  on_disk network rm disk
  links=$(h1 ip -o link)
  on_disk network create --subnet 10.5.0.0/24 disk
  on_disk run -d --name s1 --network disk -p 8085:80 -- sh -c 'echo logged; exec sleep 1000'
  for i in $(seq 2 12); do on_disk run -d --name "s$i" --network disk -- sleep 1000; done
  dd if=/dev/zero of="$state/fill" bs=4k 2>/dev/null || true
  everything_can_be_read
  run on_disk network create other
  [ "$status" -eq 1 ]
  [[ $output == *"disk of $state/root is full"* && $output != *"as root"* ]]
  run on_disk run -d --name more --network disk -- sleep 1000
  [ "$status" -eq 125 ]
  [[ $output == *"is full"* ]]
  kill -9 "$(on_disk inspect s2 | jq -r '.[0].State.Pid')"
  for i in $(seq 3 11); do on_disk rm -f "s$i"; done
  on_disk stop -t 0 s12
  on_disk rm -f s1 s2 s12
  on_disk network rm disk
  [ -z "$(on_disk ps -aq)" ]
  [ "$(h1 ip -o link)" = "$links" ]
}
