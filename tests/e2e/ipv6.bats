#!/usr/bin/env bats
# Networks with IPv6, and what follows a sandbox's way out when networks come and go.

load helpers

setup_file() {
  lab_up 2
  h1 ip addr add fd00:99::1/64 dev eth0 nodad
  h2 ip addr add fd00:99::2/64 dev eth0 nodad
}
teardown_file() { lab_down; }

teardown() {
  for name in $(h1 berth ps -aq); do h1 berth rm -f "$name"; done
  for name in $(h1 berth network ls -q --filter type=custom); do h1 berth network rm -f "$name"; done
}

# The addresses of an interface in a sandbox, each on a line: family address/prefix
addresses_in() {
  h1 berth exec "$1" -- ip -o addr show dev eth0 | awk '{print $3, $4}'
}

@test "two containers of a network reach each other, the gateway and the outside by IPv6" {
  h1 berth network create --subnet 10.5.0.0/24 --subnet fd00:5::/64 both
  h1 berth run -d --name one --network both -- sleep 1000
  h1 berth run -d --name two --network both -- sleep 1000
  [ "$(addresses_in one | grep -v fe80)" = $'inet 10.5.0.2/24\ninet6 fd00:5::2/64' ]
  [ "$(inspect one '.[0].NetworkSettings.Networks.both.GlobalIPv6Address')" = fd00:5::2 ]
  h1 berth exec two -- ping -c1 -W1 fd00:5::2
  h1 berth exec two -- ping -c1 -W1 fd00:5::1
  h1 berth exec two -- ping -c1 -W1 fd00:99::2 # behind the host's address: NAT66
  run h2 ping -c1 -W1 fd00:5::2
  [ "$status" != 0 ]
}

@test "a published port is on both families, under one number" {
  h1 berth network create --subnet 10.5.0.0/24 --subnet fd00:5::/64 both
  h1 berth run -d --name web --network both -p 80 -- sleep 1000
  serve web 80
  [ "$(h1 berth port web | sed 's/.*://' | sort -u | wc -l)" = 1 ]
  local port
  port=$(h1 berth port web 80/tcp | head -1 | sed 's/.*://')
  for url in "http://192.0.2.11:$port" "http://[fd00:99::1]:$port"; do
    [ "$(fetch h2 "$url")" = "hello from web" ]
    [ "$(fetch h1 "$url")" = "hello from web" ]
  done
  [ "$(fetch h1 "http://[::1]:$port")" = "hello from web" ]
}

@test "TestCreateWithIPv6DefaultsToULAPrefix, and the prefix stays" {
  h1 berth network create --ipv6 auto
  local subnet
  subnet=$(h1 berth network inspect auto | jq -r '.[0].IPAM.Config[1].Subnet')
  [[ $subnet == fd*::/64 ]]
  h1 berth network rm auto
  h1 berth network create --ipv6 again
  [ "$(h1 berth network inspect again | jq -r '.[0].IPAM.Config[1].Subnet')" = "$subnet" ]
}

@test "TestDisableIPv4: a network of IPv6 alone" {
  h1 berth network create --ipv4=false --ipv6 --subnet fd00:6::/64 six
  h1 berth run -d --name web --network six -p 8080:80 -- sleep 1000
  serve web 80
  [ "$(addresses_in web | grep -v fe80)" = "inet6 fd00:6::2/64" ]
  [ "$(fetch h2 'http://[fd00:99::1]:8080')" = "hello from web" ]
  run h1 berth exec web -- ip -4 route
  [ "$output" = "" ]
}

@test "TestNonIPv6Network: no IPv6 but on lo" {
  h1 berth network create four
  h1 berth run -d --name web --network four -- sleep 1000
  run h1 berth exec web -- ip -6 -o addr
  [ "${#lines[@]}" = 1 ]
  [[ $output == *"::1/128"* ]]
}

@test "TestDockerNetworkConnectDisconnectWithPortMapping: ports of run follow the way out, and come back" {
  h1 berth network create --subnet 10.5.0.0/24 bnet
  h1 berth network create --subnet 10.6.0.0/24 anet
  h1 berth run -d --name web --network bnet -p 8080:80 -- sleep 1000
  serve web 80
  target() { h1 nft list map inet berth publish4 | grep -o ': 10[0-9.]*' || echo none; }
  [ "$(target)" = ": 10.5.0.2" ]
  h1 berth network connect anet web
  [ "$(target)" = ": 10.6.0.2" ]
  [ "$(fetch h2 http://192.0.2.11:8080)" = "hello from web" ]
  h1 berth network disconnect anet web
  [ "$(target)" = ": 10.5.0.2" ]
  h1 berth network disconnect bnet web
  [ "$(target)" = none ]
  h1 berth network connect bnet web
  [ "$(target)" = ": 10.5.0.2" ]
  [ "$(fetch h2 http://192.0.2.11:8080)" = "hello from web" ]
  run h1 berth system reconcile
  [ "$output" = "" ]
}
