#!/usr/bin/env bats
# network ls/inspect/rm, plan and --dry-run, system info/df/reconcile/reset, labs.

load helpers

setup_file() { lab_up 1; }
teardown_file() { lab_down; }

@test "bridge, host and none are there from the start and cannot be removed" {
  run h1 berth network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
  [[ $output == *"bridge bridge local"* && $output == *"host host local"* && $output == *"none null local"* ]]
  for name in bridge host none; do
    run h1 berth network rm "$name"
    [ "$status" -eq 1 ]
    [[ $output == *"predefined"* ]]
  done
}

@test "subnets that are not given come from Docker's pools, never over a route of the host" {
  h1 ip route add 172.18.0.0/16 via 192.0.2.1
  h1 berth network create n1
  h1 berth network create n2
  [ "$(h1 berth network inspect bridge -f '{{(index .IPAM.Config 0).Subnet}}')" = 172.17.0.0/16 ] ||
    [ "$(h1 berth network inspect bridge | jq -r '.[0].IPAM.Config[0].Subnet')" = 172.17.0.0/16 ]
  [ "$(h1 berth network inspect n1 | jq -r '.[0].IPAM.Config[0].Subnet')" = 172.19.0.0/16 ]
  [ "$(h1 berth network inspect n2 | jq -r '.[0].IPAM.Config[0].Subnet')" = 172.20.0.0/16 ]
  h1 berth network rm n1 n2
}

@test "the network bridge has the device berth0" {
  h1 berth run -d --name plain -- sleep 1000
  run h1 ip -4 -o addr show dev berth0
  [[ $output == *"172.17.0.1/16"* ]]
  h1 berth rm -f plain
}

@test "plan and --dry-run print commands and change nothing" {
  snapshot >"$BATS_TEST_TMPDIR/before"
  run h1 berth plan network create --subnet 10.5.0.0/24 planned
  [ "$status" -eq 0 ]
  [[ $output == *"ip link add"*"type bridge"* && $output == *"nft -f"* && $output == *"sysctl"* || $output == *"ip link add"* ]]
  run h1 berth network create --subnet 10.5.0.0/24 --dry-run planned
  [[ $output == *"ip addr add 10.5.0.1/24"* ]]
  run h1 berth plan run -p 80:80 -- sleep 1
  [[ $output == *"type veth peer"* && $output == *"publish4"* ]]
  diff "$BATS_TEST_TMPDIR/before" <(snapshot)
  run h1 berth network inspect planned
  [ "$status" -eq 1 ]
}

@test "planning where berth was never used makes no store" {
  run h1 berth --root /tmp/never/root --run /tmp/never/run plan network create x
  [ "$status" -eq 0 ]
  [ ! -e /tmp/never ]
}

@test "what is printed works as it stands where berth was never used" {
  local made=$BATS_TEST_TMPDIR/fresh
  h1 berth --root $made/root --run $made/run plan sandbox create box >"$BATS_TEST_TMPDIR/plan"
  [ ! -e $made ]
  # In one process of h1: each has mounts of its own.
  h1 sh -ec '. "$1"; path=$(find "$2/run/netns" -type f)
    nsenter --net="$path" ip link show lo | grep -q ,UP; umount "$path"' _ "$BATS_TEST_TMPDIR/plan" $made
  rm -r $made
}

@test "test firewall-reload (netavark): reconcile repairs what somebody else destroyed" {
  h1 berth network create --subnet 10.6.0.0/24 -o com.docker.network.bridge.name=br6 fragile
  h1 berth run -d --name victim --network fragile -p 8086:80 -- sleep 1000
  serve victim 80
  h1 nft flush ruleset
  h1 ip link del br6
  h1 sysctl -qw net.ipv4.ip_forward=0
  run h1 berth system reconcile
  [ "$status" -eq 0 ]
  [[ $output == *fragile* ]]
  [ "$(fetch h1 http://127.0.0.1:8086/)" = "hello from victim" ]
  run h1 berth system reconcile
  [ "$status" -eq 0 ]
  h1 berth rm -f victim
  h1 berth network rm fragile
}

@test "run makes anew what somebody else destroyed of its networks" {
  h1 berth network create --subnet 10.6.0.0/24 -o com.docker.network.bridge.name=br6 fragile
  h1 ip link del br6
  h1 berth run -d --name risen --network fragile -p 8086:80 -- sleep 1000
  serve risen 80
  [ "$(fetch h1 http://127.0.0.1:8086/)" = "hello from risen" ]
  h1 berth rm -f risen
  h1 nft flush ruleset
  h1 ip link del br6
  h1 ip link del berth0 2> /dev/null || true
  h1 berth run -d --name risen --network bridge --network fragile -- sleep 1000
  [ "$(h1 berth exec risen -- ls /sys/class/net | xargs)" = "eth0 eth1 lo" ]
  run h1 berth system reconcile
  [ -z "$output" ]
  h1 berth rm -f risen
  h1 berth network rm fragile
}

@test "every read is of one moment, whatever others change meanwhile" {
  h1 berth network create busy
  h1 berth sandbox create box
  local stop=$BATS_TEST_TMPDIR/stop i
  while [ ! -e "$stop" ]; do
    h1 berth network connect -p 8088:80 busy box
    h1 berth network disconnect busy box
  done 3>&- &
  for i in $(seq 30); do
    h1 berth ps -a
    h1 berth inspect box
    h1 berth inspect busy
    h1 berth network inspect --verbose busy
    h1 berth network ls --filter dangling=true
    h1 berth network prune -f --filter label=none
    h1 berth port box
    h1 berth system info
    h1 berth system df
  done > "$BATS_TEST_TMPDIR/said"
  touch "$stop"
  wait
  h1 berth rm -f box
  h1 berth network rm busy
}

@test "system info and df" {
  run h1 berth system info
  [ "$status" -eq 0 ]
  run h1 berth system df
  [ "$status" -eq 0 ]
}

@test "reset removes all that berth made and nothing else" {
  h1 ip link add mine type bridge
  h1 nft add table inet mine
  h1 berth network create gone
  h1 berth run -d --network gone -p 8087:80 -- sleep 1000
  h1 berth sandbox create lone
  h1 berth system reset -f
  run h1 ip -o link
  [[ $output == *mine* && $output != *veth* && $output != *br-* && $output != *berth0* ]]
  [ "$(h1 nft list tables)" = "table inet mine" ]
  run pgrep -f berth-shim
  [ "$status" -ne 0 ]
  h1 ip link del mine
  h1 nft delete table inet mine
}

@test "the administrator's chain user survives" {
  h1 berth network create kept
  h1 nft add rule inet berth user ip saddr 203.0.113.9 drop
  h1 berth network rm kept
  run h1 nft list chain inet berth user
  [[ $output == *203.0.113.9* ]]
  h1 nft delete table inet berth
}

@test "every verb's --help ends with examples" {
  for verb in "network create" "network ls" "network inspect" "network rm" "network connect" \
    "network disconnect" run ps inspect exec logs stop rm port "sandbox create" plan "lab up" \
    "lab exec" "lab ls" "lab down" "system info" "system df" "system reconcile" "system reset"; do
    run berth $verb --help
    [ "$status" -eq 0 ]
    [[ $output == *Examples* ]]
  done
}

@test "one instance to a network namespace; what a lost one left goes with reset --foreign" {
  local other=$BATS_TEST_TMPDIR/other
  h1 berth run -d --name first -p 8070:80 -- sleep 1000
  run h1 berth --root "$other" --run "$other/run" network create second
  [ "$status" -eq 1 ]
  [[ $output == *"belongs to the instance of berth in "*"/root/h1"* ]]
  h1 berth --root "$other" --run "$other/run" network ls
  run h1 berth --root "$other" --run "$other/run" system reset -f --foreign
  [ "$status" -eq 1 ]
  [[ $output == *"is not lost"* ]]
  h1 sh -c 'kill -9 $(berth inspect first -f "{{.State.Pid}}")'
  h1 sh -c 'until [ "$(berth inspect first -f "{{.State.Status}}")" = exited ]; do sleep 0.05; done'
  h1 berth rm first
  run h1 nft list tables
  [ -z "$output" ]
  h1 berth --root "$other" --run "$other/run" network create second
  rm -rf "$other"
  run h1 berth network create third
  [[ $output == *"$other"*"system reset --foreign"* ]]
  h1 berth system reset -f --foreign
  h1 berth network create third
  h1 berth network rm third
}

@test "another network namespace than the instance's is refused" {
  h1 berth network create here
  run h1 unshare --net berth network create there
  [ "$status" -eq 1 ]
  [[ $output == *"belongs to another network namespace"*"nsenter --net=/"* ]]
  h1 unshare --net berth network inspect here
  h1 berth network rm here
}

@test "reset names the labs that stay" {
  h1 berth lab up --hosts 1 inner
  run h1 berth system reset -f
  [ "$status" -eq 0 ]
  [[ $output == *"lab inner stays"*"berth lab down inner"* ]]
  h1 berth lab down inner
}
