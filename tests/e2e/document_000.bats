#!/usr/bin/env bats
# Docker's bridge network step by step, as the document "container networks" shows it with Docker:
# create mybridge0, look at the bridge and the NAT rules, run a container, look at its address and its
# veth pair, publish 12211 -> 8080, remove everything.

load helpers

setup_file() { lab_up 2; }
teardown_file() { lab_down; }

@test "create: the id, the bridge device with the gateway's address, the NAT rules" {
  snapshot >"$BATS_FILE_TMPDIR/before"
  run h1 berth network create --driver=bridge --subnet=192.168.100.0/24 \
    --ip-range=192.168.100.0/26 --gateway=192.168.100.1 \
    --opt com.docker.network.bridge.name=mybr0 mybridge0
  [ "$status" -eq 0 ]
  [[ $output =~ ^[0-9a-f]{64}$ ]]

  run h1 ip -4 -o addr show dev mybr0
  [[ $output == *"192.168.100.1/24 brd 192.168.100.255"* ]]
  run h1 ip -d -o link show dev mybr0
  [[ $output == *"link/ether 02:42:"* && $output == *"stp_state 0"* ]]

  run h1 nft list set inet berth masq4
  [[ $output == *"192.168.100.0/24"* ]]
  [ "$(h1 cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
}

@test "run: the first address of the range, the MAC made of it, the gateway, in inspect's form" {
  run h1 berth run -dt --rm --network=mybridge0 --name br0_container -- sh
  [ "$status" -eq 0 ]
  [[ $output =~ ^[0-9a-f]{64}$ ]]

  local network endpoint
  network=$(h1 berth network inspect mybridge0 | jq -r '.[0].Id')
  endpoint=$(h1 berth inspect "${output:0:12}" | jq -c '.[0].NetworkSettings.Networks.mybridge0')
  [ "$(jq -r .IPAddress <<<"$endpoint")" = 192.168.100.2 ]
  [ "$(jq -r .IPPrefixLen <<<"$endpoint")" = 24 ]
  [ "$(jq -r .Gateway <<<"$endpoint")" = 192.168.100.1 ]
  [ "$(jq -r .MacAddress <<<"$endpoint")" = 02:42:c0:a8:64:02 ]
  [ "$(jq -r .NetworkID <<<"$endpoint")" = "$network" ]
  for field in IPAMConfig Links Aliases EndpointID IPv6Gateway GlobalIPv6Address \
    GlobalIPv6PrefixLen DriverOpts; do
    [ "$(jq "has(\"$field\")" <<<"$endpoint")" = true ]
  done
}

@test "the container's eth0 is a veth whose other end is a port of mybr0" {
  run h1 berth exec br0_container -- ip -4 -o addr show dev eth0
  [[ $output == *"192.168.100.2/24 brd 192.168.100.255"* ]]
  run h1 berth exec br0_container -- ip -o link show dev eth0
  [[ $output == *"link/ether 02:42:c0:a8:64:02"* ]]
  run h1 berth exec br0_container -- ip route
  [[ $output == *"default via 192.168.100.1 dev eth0"* ]]
  run h1 berth exec br0_container -- ethtool -i eth0
  [[ $output == *"driver: veth"* ]]

  local peer
  peer=$(h1 berth exec br0_container -- cat /sys/class/net/eth0/iflink)
  run h1 ip -o link
  [[ $output =~ $peer:\ veth[0-9a-f]{7}@.*master\ mybr0 ]]
}

@test "publish 12211 to 8080: reached from another host, kept as one map element" {
  h1 berth rm -f br0_container
  h1 berth run -dt --rm --network=mybridge0 --publish 12211:8080 --name br0_container -- sh
  serve br0_container 8080

  run fetch h2 "http://$(address_of h1):12211/"
  [ "$output" = "hello from br0_container" ]
  run h1 nft list map inet berth publish4
  [[ $output == *"tcp . 12211"*": 192.168.100.2 . 8080"* ]]
  run h1 berth port br0_container
  [ "$output" = "8080/tcp -> 0.0.0.0:12211" ]
}

@test "the network cannot go while it is used; remove takes bridge and rules with it" {
  run h1 berth network remove mybridge0
  [ "$status" -eq 1 ]
  [[ $output == *br0_container* ]]

  h1 berth stop -t 1 br0_container
  local id
  id=$(h1 berth network inspect mybridge0 | jq -r '.[0].Id')
  run h1 berth network remove "${id:0:12}"
  [ "$status" -eq 0 ]
  [ "$output" = "${id:0:12}" ]
  diff "$BATS_FILE_TMPDIR/before" <(snapshot)
  [ -z "$(h1 berth ps -aq)" ]
}
