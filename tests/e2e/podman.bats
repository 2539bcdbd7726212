#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# podman's own tests of its networks (containers/podman, test/system/500-networking.bats and test/e2e/network_*,
# run_networking), by their names, as far as no test of Docker's or netavark's asserts the same.

load helpers

setup_file() { lab_up 2; }
teardown_file() { lab_down; }
teardown() {
  h1 sh -c 'berth ps -aq | xargs -r berth rm -f
    berth network ls -q --filter type=custom | xargs -r berth network rm -f' >/dev/null 2>&1
  run h1 ip -br link
  [[ $output != *br-* && $output != *veth* ]]
}

start() {
  local name=$1
  shift
  h1 berth run -d --name "$name" "$@" -- sleep 1000
}
endpoint() { # container network field
  inspect "$1" ".[0].NetworkSettings.Networks[\"$2\"].$3"
}

@test "podman network - basic tests: ls is in the order of names" {
  for name in zzz aaa mmm; do h1 berth network create $name; done
  [ "$(h1 berth network ls --filter type=custom --format '{{.Name}}' | paste -sd,)" = aaa,mmm,zzz ]
  [[ $(h1 berth network ls | head -1) == "NETWORK ID"*NAME*DRIVER* ]]
}

@test "podman networking: port on localhost, a clash leaves the first as it is, forms of port" {
  h1 berth network create n1
  start first --network n1 -p 127.0.0.1:8080:80
  serve first 80
  refused 8080 first -- run --network n1 -p 127.0.0.1:8080:80 -- true
  refused 8080 first -- run --network n1 -p 8080:80 -- true
  [ "$(fetch h1 http://127.0.0.1:8080)" = "hello from first" ]
  [ "$(h1 berth port first)" = "80/tcp -> 127.0.0.1:8080" ]
  [ "$(h1 berth port first 80)" = 127.0.0.1:8080 ]
  [ "$(h1 berth port first 80/tcp)" = 127.0.0.1:8080 ]
  refused 81/tcp -- port first 81
}

@test "podman network reload: what a flush took comes back, addresses stay" {
  h1 berth network create n1
  start box --network n1 -p 8080:80
  serve box 80
  before="$(endpoint box n1 IPAddress) $(endpoint box n1 MacAddress)"
  h1 nft flush ruleset
  run ! fetch h2 http://192.0.2.11:8080
  h1 berth system reconcile
  [ "$(fetch h2 http://192.0.2.11:8080)" = "hello from box" ]
  [ "$(endpoint box n1 IPAddress) $(endpoint box n1 MacAddress)" = "$before" ]
}

@test "podman network connect/disconnect with port forwarding" {
  h1 berth network create n1
  h1 berth network create n2
  start box --hostname inbox --network n1 -p 8080:80
  serve box 80
  ip=$(endpoint box n1 IPAddress)
  [[ $(h1 berth exec box cat /etc/hosts) == *"$ip"* ]]
  h1 berth network disconnect n1 box
  [[ $(h1 berth exec box cat /etc/hosts) != *"$ip"* ]]
  run ! fetch h1 http://127.0.0.1:8080
  h1 berth network connect n1 box
  [ "$(fetch h1 http://127.0.0.1:8080)" = "hello from box" ]
  refused 00:00:00:00:00:00 -- network connect --mac-address 00:00:00:00:00:00 n2 box
  [ "$(inspect box '.[0].NetworkSettings.Networks | keys | join(",")')" = n1 ]
  h1 berth network connect n2 box
  [ "$(fetch h1 http://127.0.0.1:8080)" = "hello from box" ]
  h1 berth network disconnect n1 box
  [ "$(fetch h1 http://127.0.0.1:8080)" = "hello from box" ]
  [ -z "$(h1 berth system reconcile)" ]
}

@test "podman run /etc/* permissions: they are root's, and all may read them" {
  for file in hosts hostname resolv.conf; do
    [ "$(h1 berth run --rm -- stat -c '%U:%G %a' /etc/$file)" = "root:root 644" ]
  done
}

@test "podman network rm --force bogus" {
  refused bogus -- network rm bogus
  h1 berth network rm --force bogus
  h1 berth network create n1
  start box --network n1
  refused n1 box -- network rm n1
  h1 berth network rm --force n1
  [ "$(h1 berth exec box ls /sys/class/net)" = lo ]
}

@test "podman inspect list networks, podman network inspect running containers" {
  h1 berth network create n1
  h1 berth network create n2
  start box --network n1 --network n2
  start more --network n1
  [ "$(h1 berth inspect -f '{{range $name, $net := .NetworkSettings.Networks}}{{$name}} {{end}}' box)" = "n1 n2 " ]
  [ "$(h1 berth network inspect n1 | jq -r '.[0].Containers | map(.Name) | sort | join(",")')" = box,more ]
  h1 berth stop -t 0 more
  [ "$(h1 berth network inspect n1 | jq -r '.[0].Containers | map(.Name) | join(",")')" = box ]
}

@test "podman network cleanup: addresses of a /29 come back each time" {
  h1 berth network create --subnet 10.89.0.0/29 n1
  for _ in 1 2 3 4 5 6 7 8; do h1 berth run --rm --network n1 -- true; done
  for _ in 1 2 3 4 5 6 7 8; do
    start box --network n1
    h1 kill -9 "$(inspect box '.[0].State.Pid')"
    h1 berth rm -f box
  done
  for i in 1 2 3 4 5; do start "box$i" --network n1; done
}

@test "podman run - default_host_ips: the network's address where a port names none" {
  h1 berth network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 n1
  start box --network n1 -p 8080:80 -p 0.0.0.0:8081:80
  serve box 80
  [ "$(h1 berth port box 80 | sort | paste -sd,)" = 0.0.0.0:8081,127.0.0.1:8080 ]
  [ "$(fetch h1 http://127.0.0.1:8080)" = "hello from box" ]
  run ! fetch h2 http://192.0.2.11:8080
  [ "$(fetch h2 http://192.0.2.11:8081)" = "hello from box" ]
}

@test "Podman run --network net1,net2 setup order is deterministic" {
  h1 berth network create n1
  h1 berth network create n2
  run h1 berth run --rm --network n1:interface_name=first --network n2:interface_name=second -- \
    sh -c 'ip -o link | sed -E "s/^[0-9]+: ([^:@]+).*/\1/" | paste -sd,'
  [ "$output" = lo,first,second ]
}

@test "podman run - dual-stack conflicts with explicit wildcards; two families of one number apart do not" {
  h1 berth network create --ipv6 n1
  start both --network n1 -p 8080:80
  refused 8080 both -- run --network n1 -p 0.0.0.0:8080:80 -- true
  refused 8080 both -- run --network n1 -p '[::]:8080:80' -- true
  start four --network n1 -p 0.0.0.0:8081:80
  start six --network n1 -p '[::]:8081:80'
}

@test "podman run -p: ports and ranges, with and without addresses, in capitals" {
  h1 berth network create n1
  published() { # port options...: what port shows, sorted
    start box --network n1 "$@" >/dev/null
    h1 berth port box | grep -v ' -> \[' | sort
    h1 berth rm -f box >/dev/null
  }
  [[ $(published -p 80) =~ ^80/tcp\ -\>\ 0.0.0.0:[0-9]+$ ]]
  [ "$(published -p 80-82 -p 8090:8090 | sed 's/:.*//' | paste -sd,)" = \
    "80/tcp -> 0.0.0.0,8090/tcp -> 0.0.0.0,81/tcp -> 0.0.0.0,82/tcp -> 0.0.0.0" ]
  [ "$(published -p 8280-8282:8280-8282 | wc -l)" = 3 ]
  [ "$(published -p 8380:80)" = "80/tcp -> 0.0.0.0:8380" ]
  [ "$(published -p 8480:80/TCP)" = "80/tcp -> 0.0.0.0:8480" ]
  [[ $(published -p 80/udp) =~ ^80/udp\ -\>\ 0.0.0.0:[0-9]+$ ]]
  [ "$(published -p 127.0.0.1:8680:80/udp)" = "80/udp -> 127.0.0.1:8680" ]
  [[ $(published -p 127.0.0.1::8980/udp) =~ ^8980/udp\ -\>\ 127.0.0.1:[0-9]+$ ]]
  [[ $(published -p :8181) =~ ^8181/tcp\ -\>\ 0.0.0.0:[0-9]+$ ]]
  [[ $(published -P --expose 80 --expose 53/udp | paste -sd,) =~ ^53/udp\ -\>\ 0.0.0.0:[0-9]+,80/tcp\ -\>\ 0.0.0.0:[0-9]+$ ]]
  [ -z "$(published --expose 80)" ]
  [ "$(published -p 9280:8080 -p 9281:8080 | paste -sd,)" = "8080/tcp -> 0.0.0.0:9280,8080/tcp -> 0.0.0.0:9281" ]
}

@test "podman run hostname test: its own, the host's, another's; in /etc/hosts" {
  [ "$(h1 berth run --rm --network host -- cat /proc/sys/kernel/hostname)" = "$(h1 cat /proc/sys/kernel/hostname)" ]
  [ "$(h1 berth run --rm --network host --hostname mine -- cat /proc/sys/kernel/hostname)" = mine ]
  [ "$(h1 berth run --rm --hostname mine -- cat /proc/sys/kernel/hostname)" = mine ]
  [[ $(h1 berth run --rm --network none --hostname mine -- cat /etc/hostname) == mine ]]
  run h1 berth run --rm --hostname mine -- cat /etc/hosts
  [[ $output == *$'\tmine' ]]
}

@test "podman network create with overlapping subnets, of either family" {
  h1 berth network create --subnet 10.11.0.0/16 n1
  h1 berth network create --subnet 10.12.0.0/16 --subnet fd12::/64 n2
  refused 10.11.12.0/24 n1 -- network create --subnet 10.11.12.0/24 n3
  refused 10.11.0.0/16 n1 -- network create --subnet 10.11.0.0/16 n3
  refused fd12::/64 n2 -- network create --ipv6 --subnet fd12::/64 n3
  refused fd12::/56 n2 -- network create --ipv6 --subnet fd12::/56 n3
  [ -z "$(h1 berth network ls -q --filter name=n3)" ]
}

@test "podman network create with --ip-range as first and last address, of either family" {
  h1 berth network create --subnet 10.9.0.0/24 --ip-range 10.9.0.9-10.9.0.10 n1
  [ "$(h1 berth network inspect -f '{{(index .IPAM.Config 0).IPRange}}' n1)" = 10.9.0.9-10.9.0.10 ]
  start one --network n1
  start two --network n1
  [ "$(endpoint one n1 IPAddress) $(endpoint two n1 IPAddress)" = "10.9.0.9 10.9.0.10" ]
  refused 10.9.0.9-10.9.0.10 -- run --network n1 -- true
  start three --network n1:ip=10.9.0.20
  refused 10.8.0.9-10.8.0.10 10.7.0.0/24 -- network create --subnet 10.7.0.0/24 --ip-range 10.8.0.9-10.8.0.10 n2

  [ -e /proc/sys/net/ipv6 ] || skip "SKIPPED: this kernel has no IPv6"
  h1 berth network create --ipv4=false --subnet fd09::/64 --ip-range fd09::100-fd09::1ff n2
  h1 berth network inspect n2 | jq -e '.[0].IPAM.Config[0].IPRange == "fd09::100/120"'
  start four --network n2
  [ "$(endpoint four n2 GlobalIPv6Address)" = fd09::100 ]
}

@test "podman network list --filter: one or several names, labels, what matches nothing, what is no filter" {
  h1 berth network create --label a=1 n1
  h1 berth network create --label a=2 n2
  names() { h1 berth network ls --format '{{.Name}}' "$@" | paste -sd,; }
  [ "$(names --filter name=n1 --filter name=n2)" = n1,n2 ]
  [ "$(names --filter driver=bridge --filter name=n1)" = n1 ]
  [ "$(names --filter label=a=2)" = n2 ]
  [ -z "$(names --filter name=nosuch)" ]
  refused nosuch -- network ls --filter nosuch=1
}

@test "podman network connect and disconnect: names that are not there, a second time, by id" {
  id=$(h1 berth network create n1)
  start box
  refused nosuch -- network connect nosuch box
  refused nosuch -- network connect n1 nosuch
  refused nosuch -- network disconnect nosuch box
  refused nosuch -- network disconnect n1 nosuch
  refused n1 -- network disconnect n1 box
  h1 berth network connect "${id:0:12}" box
  refused already -- network connect n1 box
  h1 berth network disconnect "${id:0:12}" box
}
