#!/usr/bin/env bats
# Bridges that were there before berth, and ports that are guarded.

load helpers

setup_file() {
  lab_up 2
  h1 ip link add lan0 address 02:00:00:00:00:01 type bridge
  h1 ip addr add 203.0.113.1/24 dev lan0
  h1 ip link set lan0 up
}
teardown_file() {
  lab_down
}

@test "an existing bridge is not taken by its name alone" {
  before=$(snapshot)
  run h1 berth network create -o com.docker.network.bridge.name=lan0 lan
  [ "$status" = 1 ]
  [[ $output == *"lan0"*"--adopt lan0"* ]]
  run h1 berth network create --adopt nowhere0 lan
  [ "$status" = 1 ]
  [[ $output == *"no bridge nowhere0"* ]]
  run h1 berth network create -o mode=unmanaged -o com.docker.network.bridge.name=nowhere0 lan
  [ "$status" = 1 ]
  [[ $output == *"no bridge nowhere0"* ]]
  [ "$(snapshot)" = "$before" ]
}

@test "an adopted bridge publishes ports like any other, and is left as it was" {
  before=$(snapshot)
  h1 berth network create --adopt lan0 lan
  h1 berth run -d --name web --network lan -p 8080:80 -- sleep 1000
  [ "$(inspect web '.[0].NetworkSettings.Networks.lan.IPAddress')" = 203.0.113.2 ]
  [ "$(inspect web '.[0].NetworkSettings.Networks.lan.Gateway')" = 203.0.113.1 ]
  serve web 80
  [ "$(fetch h2 "http://$(address_of h1):8080/")" = "hello from web" ]
  h1 berth rm -f web
  h1 berth network rm lan
  [ "$(snapshot)" = "$before" ]
}

@test "bridge - unmanaged mode (netavark): it gets ports, and nothing else is touched" {
  before=$(snapshot)
  h1 berth network create -o mode=unmanaged -o com.docker.network.bridge.name=lan0 lan
  [ "$(snapshot)" = "$before" ]
  h1 berth run -d --name box --network lan -- sleep 1000
  h1 ping -c1 -W2 203.0.113.2
  run h1 berth run --rm --network lan -p 8080:80 -- true
  [ "$status" = 125 ]
  [[ $output == *unmanaged* ]]
  h1 berth rm -f box
  h1 berth network rm lan
  [ "$(snapshot)" = "$before" ]
}

@test "guarded ports: not to each other, and from no other address than their own" {
  h1 berth network create --subnet 10.77.0.0/24 -o port_isolation=true -o mac_spoof_check=true apart
  h1 berth run -d --name one --network apart -- sleep 1000
  h1 berth run -d --name two --network apart -- sleep 1000
  h1 berth exec one ping -c1 -W2 10.77.0.1
  run h1 berth exec one ping -c1 -W1 10.77.0.3
  [ "$status" != 0 ]
  h1 berth exec --privileged one ip link set eth0 address 02:66:66:66:66:66
  run h1 berth exec one ping -c1 -W1 10.77.0.1
  [ "$status" != 0 ]
  h1 berth rm -f one two
  h1 berth network rm apart
}

@test "TestIsolated: a bridge without any address, whose containers reach each other" {
  h1 berth network create --internal --subnet 10.78.0.0/24 \
    -o com.docker.network.bridge.gateway_mode_ipv4=isolated -o com.docker.network.bridge.name=iso0 iso
  h1 berth run -d --name one --network iso -- sleep 1000
  h1 berth run -d --name two --network iso -- sleep 1000
  run h1 ip -4 -o addr show dev iso0
  [ -z "$output" ]
  h1 berth exec one ping -c1 -W2 "$(inspect two '.[0].NetworkSettings.Networks.iso.IPAddress')"
  run h1 berth exec one ip route show default
  [ -z "$output" ]
  h1 berth rm -f one two
  h1 berth network rm iso
}

@test "TestPointToPoint: both addresses of a /31 are the containers'" {
  h1 berth network create --internal --subnet 10.79.0.0/31 \
    -o com.docker.network.bridge.gateway_mode_ipv4=isolated p2p
  h1 berth run -d --name one --network p2p -- sleep 1000
  h1 berth run -d --name two --network p2p -- sleep 1000
  h1 berth exec one ping -c1 -W2 10.79.0.1
  h1 berth exec two ping -c1 -W2 10.79.0.0
  run h1 berth run --rm --network p2p -- true
  [ "$status" = 125 ]
  h1 berth rm -f one two
  h1 berth network rm p2p
}
