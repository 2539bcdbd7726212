#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# macvlan and ipvlan networks, named after Docker's tests of the same behaviours (integration/network/macvlan and
# ipvlan). The parent is eth0 of a lab's host, whose segment the other host is on.

load helpers

setup_file() { lab_up 2; }
teardown_file() { lab_down; }
teardown() {
  h1 berth rm -f m1 m2 m3 > /dev/null
  h1 berth network rm -f lan lan2 > /dev/null
  [ ! -e "$BATS_TEST_TMPDIR/pid" ] || dhcp_server_down
}

create() { # name options...: a network of 10.77.0.0/24
  local name=$1
  shift
  h1 berth network create -d macvlan --subnet 10.77.0.0/24 "$@" "$name"
}
start() { # name network options...
  local name=$1 network=$2
  shift 2
  h1 berth run -d --name "$name" --network "$network" "$@" -- sleep 1000
}
# Whether the host's kernel has devices of a kind.
kernel_has() { # ip-link(8)'s words for one
  h1 unshare -n sh -c 'ip link add x0 type veth peer name x1; ip link add link x0 name x2 type '"$*" 2> /dev/null
}
pings() { # from to
  h1 berth exec "$1" -- ping -c 1 -W 1 "$2"
}

@test "TestMacvlanBridgeMode: containers reach each other and the other host" {
  create lan -o parent=eth0
  berth lab exec t/h2 -- ip addr add 10.77.0.1/24 dev eth0
  start m1 lan
  start m2 lan
  pings m1 10.77.0.3
  pings m1 10.77.0.1
  run -1 h1 berth exec m1 -- ping -c 1 -W 1 10.77.0.99
  run h1 berth exec m1 -- ip route show default
  [[ $output == "default via 10.77.0.1 dev eth0"* ]]
  berth lab exec t/h2 -- ip addr del 10.77.0.1/24 dev eth0
}

@test "TestMacvlanPersistanceAndRemoval: nothing is left, the parent stays" {
  local before
  before=$(snapshot)
  create lan -o parent=eth0 -o host_access=true
  start m1 lan
  h1 berth rm -f m1
  h1 berth network rm lan
  [ "$(snapshot)" = "$before" ]
}

@test "TestMacvlanOverlapParent: several networks on one parent, no address twice" {
  create lan -o parent=eth0
  create lan2 -o parent=eth0
  start m1 lan
  start m2 lan2
  [ "$(inspect m1 '.[0].NetworkSettings.Networks.lan.IPAddress')" = 10.77.0.2 ]
  [ "$(inspect m2 '.[0].NetworkSettings.Networks.lan2.IPAddress')" = 10.77.0.3 ]
  run h1 berth run -d --name m3 --network lan2 --ip 10.77.0.2 -- sleep 1000
  [ "$status" -eq 125 ]
  [[ $output == *"10.77.0.2"*"m1"* ]]
}

@test "TestMacvlanOverlapParentPassthruFirst and Second: passthru wants the parent alone" {
  create lan -o parent=eth0 -o macvlan_mode=passthru
  run -1 create lan2 -o parent=eth0
  [[ $output == *"eth0"*"lan"*"passthru"* ]]
  h1 berth network rm lan
  create lan -o parent=eth0
  run -1 create lan2 -o parent=eth0 -o macvlan_mode=passthru
  [[ $output == *"eth0"*"lan"*"passthru"* ]]
}

@test "TestMacvlanNilParent and InternalMode: without a parent it is internal on a dummy" {
  if ! kernel_has dummy; then
    run -1 create lan
    [[ $output == *"kernel has no dummy devices"* ]]
    skip "this kernel has no dummy devices: refused in so many words"
  fi
  create lan
  [ "$(h1 berth network inspect lan | jq '.[0].Internal')" = true ]
  start m1 lan
  start m2 lan
  pings m1 10.77.0.3
}

@test "TestMacvlanInternal: with a parent there is no way out" {
  create lan -o parent=eth0 --internal
  start m1 lan
  start m2 lan
  pings m1 10.77.0.2
  [ -z "$(h1 berth exec m1 -- ip route show default)" ]
}

@test "TestMacvlanSubinterface: a VLAN is made and removed" {
  if ! kernel_has vlan id 5; then
    run -1 create lan -o parent=eth0.50
    [[ $output == *"kernel has no vlan devices"* ]]
    skip "this kernel has no VLAN devices: refused in so many words"
  fi
  create lan -o parent=eth0.50
  h1 ip link show eth0.50
  h1 berth network rm lan
  run -1 h1 ip link show eth0.50
}

@test "TestMacvlanMultiSubnet: an address of each subnet that is asked for" {
  h1 berth network create -d macvlan -o parent=eth0 --subnet 10.77.0.0/24 --gateway 10.77.0.1 \
    --subnet 10.78.0.0/24 --gateway 10.78.0.1 --ipv6 --subnet fd77::/64 lan
  start m1 lan --ip 10.78.0.20 --ip6 fd77::20
  start m2 lan --ip 10.78.0.21 --ip6 fd77::21
  pings m1 10.78.0.21
  pings m1 fd77::21
  run h1 berth exec m1 -- ip route show default
  [[ $output == "default via 10.78.0.1 dev eth0"* ]]
}

@test "TestMacvlanParentDown: containers are attached all the same" {
  h1 ip link set eth0 down
  create lan -o parent=eth0
  start m1 lan
  h1 ip link set eth0 up
  start m2 lan
  pings m1 10.77.0.3
}

@test "TestEndpointWithCustomIfname: on a macvlan network" {
  create lan -o parent=eth0
  start m1 lan
  h1 berth network create lan2
  h1 berth network connect --driver-opt com.docker.network.endpoint.ifname=foobar lan2 m1
  h1 berth network disconnect lan m1
  h1 berth network connect --driver-opt com.docker.network.endpoint.ifname=wire lan m1
  run h1 berth exec m1 -- ls /sys/class/net
  [ "$(echo $output)" = "foobar lo wire" ]
}

@test "host_access: the host and its macvlan containers reach each other" {
  h1 ip addr add 10.77.0.201/24 dev eth0
  create lan -o parent=eth0 -o host_access=true --aux-address host=10.77.0.200
  start m1 lan
  h1 ping -c 1 -W 1 10.77.0.2
  pings m1 10.77.0.200
  pings m1 10.77.0.201 # where the segment knows the host
  h1 ip addr del 10.77.0.201/24 dev eth0
  [ "$(h1 berth network inspect lan | jq -r '.[0].IPAM.Config[0].AuxiliaryAddresses.host')" = 10.77.0.200 ]
  [[ $(h1 ip route get 10.77.0.2) == *"dev mv-"*"src 10.77.0.200"* ]]
  h1 berth rm -f m1
  [ -z "$(h1 ip route show 10.77.0.2)" ]
  h1 ip link del "$(h1 ip -br link | grep -o '^mv-[0-9a-f]*')"
  start m2 lan
  h1 ping -c 1 -W 1 10.77.0.2
}

@test "the host's own address can be chosen in each family" {
  [ -e /proc/sys/net/ipv6 ] || skip "SKIPPED: this kernel has no IPv6"
  create lan -o parent=eth0 -o host_access=true --subnet fd77::/64 --aux-address host=10.77.0.200 \
    --aux-address host=fd77::200
  run h1 ip -br addr
  [[ $output == *10.77.0.200/32*fd77::200/128* ]]
  refused host=10.77.0.202 host=10.77.0.201 -- network create -d macvlan -o parent=eth0 --subnet 10.77.0.0/24 \
    --aux-address host=10.77.0.201 --aux-address host=10.77.0.202 more
}

@test "an address that a neighbour has is refused, and ports cannot be published" {
  create lan -o parent=eth0
  berth lab exec t/h2 -- ip addr add 10.77.0.66/24 dev eth0
  run h1 berth run -d --name m1 --network lan --ip 10.77.0.66 -- sleep 1000
  berth lab exec t/h2 -- ip addr del 10.77.0.66/24 dev eth0
  [ "$status" -eq 125 ]
  [[ $output == *"10.77.0.66 is in use on the network already"* ]]
  run h1 berth run -d --name m1 --network lan -p 8080:80 -- sleep 1000
  [ "$status" -eq 125 ]
  [[ $output == *"macvlan"*"cannot be published"* ]]
  [ -z "$(h1 berth ps -aq)" ]
}

@test "a container that has just ended leaves its address and the parent free" {
  create lan -o parent=eth0 -o macvlan_mode=passthru
  for _ in 1 2 3 4 5; do h1 berth run --rm --network lan -- true; done
  for _ in 1 2 3 4 5; do h1 berth run --rm --network lan:ip=10.77.0.50 -- true; done
}

@test "TestIpvlanL2, L3 and L3s: addresses and routes" {
  if ! kernel_has ipvlan; then
    run -1 h1 berth network create -d ipvlan --subnet 10.77.0.0/24 -o parent=eth0 lan
    [[ $output == *"kernel has no ipvlan devices"* ]]
    skip "this kernel has no ipvlan devices: refused in so many words"
  fi
  local mode
  for mode in l2 l3 l3s; do
    h1 berth network create -d ipvlan --subnet 10.77.0.0/24 -o parent=eth0 -o ipvlan_mode=$mode lan
    start m1 lan
    start m2 lan
    pings m1 "$(inspect m2 '.[0].NetworkSettings.Networks.lan.IPAddress')"
    run h1 berth exec m1 -- ip route show default
    if [ $mode = l2 ]; then [[ $output == *"via 10.77.0.1"* ]]; else [[ $output == *"dev eth0 scope link"* ]]; fi
    h1 berth rm -f m1 m2
    h1 berth network rm lan
  done
}

# A DHCP server on h2 with a single address: who wants it waits until it is given back.
dhcp_server_up() { # the address [10.79.0.100]
  local dir=$BATS_TEST_TMPDIR address=${1:-10.79.0.100}
  : > "$dir/leases"
  printf '%s\n' "start $address" "end $address" 'interface eth0' "lease_file $dir/leases" \
    "pidfile $dir/pid" 'opt subnet 255.255.255.0' 'opt router 10.79.0.1' 'opt lease 3600' > "$dir/udhcpd.conf"
  berth lab exec t/h2 -- ip addr add 10.79.0.1/24 dev eth0
  berth lab exec t/h2 -- busybox udhcpd -f "$dir/udhcpd.conf" > "$dir/log" 2>&1 3>&- &
  for _ in $(seq 50); do
    [ -s "$dir/pid" ] && return 0
    sleep 0.1
  done
  return 1
}
dhcp_server_down() {
  kill "$(cat "$BATS_TEST_TMPDIR/pid")"
  rm -f "$BATS_TEST_TMPDIR/pid"
  berth lab exec t/h2 -- ip addr del 10.79.0.1/24 dev eth0
}
# Waits until inspect shows this address of a container on network lan.
address_becomes() { # name address
  for _ in $(seq 80); do
    [ "$(inspect "$1" '.[0].NetworkSettings.Networks.lan.IPAddress')" = "$2" ] && return 0
    sleep 0.1
  done
  return 1
}
# Waits until a line of the server's log matches $1, at least $2 times.
server_says() {
  for _ in $(seq 80); do
    [ "$(grep -c "$1" "$BATS_TEST_TMPDIR/log")" -ge "$2" ] && return 0
    sleep 0.1
  done
  cat "$BATS_TEST_TMPDIR/log"
  return 1
}

@test "--ipam-driver dhcp: an address from the segment's server, renewed and released" {
  dhcp_server_up
  h1 berth network create -d macvlan --ipam-driver dhcp -o parent=eth0 lan
  h1 sh -c "exec 9> $BATS_TEST_TMPDIR/held; exec berth run -d --name m1 --network lan -- sleep 1000"
  local ip client
  client=$(pgrep -f 'udhcpc -i') # it lives for hours, and keeps nothing of who started it
  [[ $(readlink "/proc/$client/fd/"*) != *"/held"* ]]
  [ "$(readlink "/proc/$client/cwd")" = / ]
  ip=$(inspect m1 '.[0].NetworkSettings.Networks.lan.IPAddress')
  [ "$ip" = 10.79.0.100 ]
  [[ $(h1 berth exec m1 -- ip -4 -o addr show dev eth0) == *"$ip/24"* ]]
  [[ $(h1 berth exec m1 -- ip route show default) == "default via 10.79.0.1 dev eth0"* ]]
  [[ $(h1 berth exec m1 -- cat /etc/hosts) == *"$ip"* ]]
  pings m1 10.79.0.1
  pkill -USR1 -f 'udhcpc -i' # which renews the lease
  server_says 'sending ACK' 2
  [ "$(inspect m1 '.[0].NetworkSettings.Networks.lan.IPAddress')" = "$ip" ]
  dhcp_server_down
  pkill -USR2 -f 'udhcpc -i' # which gives the lease back
  address_becomes m1 ""
  [[ $(h1 berth exec m1 -- ip -4 -o addr show dev eth0) != *"$ip"* ]]
  [[ $(h1 berth exec m1 -- cat /etc/hosts) != *"$ip"* ]]
  dhcp_server_up 10.79.0.101
  pkill -USR1 -f 'udhcpc -i' # which asks anew
  address_becomes m1 10.79.0.101
  ip=10.79.0.101
  pings m1 10.79.0.1
  pkill -KILL -f 'udhcpc -i'
  run h1 berth system reconcile
  [[ $output == *"m1 on lan"*"udhcpc"* ]]
  pgrep -f 'udhcpc -i'
  run h1 berth system reconcile
  [ -z "$output" ]
  h1 berth rm -f m1
  [ -z "$(ls "$BERTH_RUN"/../*/dhcp 2> /dev/null)" ]
  start m2 lan # has another MAC address
  [ "$(inspect m2 '.[0].NetworkSettings.Networks.lan.IPAddress')" = "$ip" ]
}

@test "--ipam-driver dhcp: a client keeps no namespace of others alive" {
  dhcp_server_up
  h1 berth network create -d macvlan --ipam-driver dhcp -o parent=eth0 lan
  h1 unshare -n sleep 1000 3>&- &
  local job=$! pid
  for _ in $(seq 50); do
    pid=$(pgrep -n -x -f 'sleep 1000') && [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] && break
    sleep 0.1
  done
  h1 berth network connect lan "pid:$pid"
  pgrep -f 'udhcpc -i'
  kill "$pid"
  wait "$job" || true
  [ -z "$(h1 berth ps -aq --filter "name=pid:$pid")" ]
  run pgrep -f 'udhcpc -i'
  [ "$status" -eq 1 ]
  dhcp_server_down
}

@test "--ipam-driver dhcp: without a server nothing is left behind" {
  h1 berth network create -d macvlan --ipam-driver dhcp -o parent=eth0 lan
  local before
  before=$(snapshot)
  run h1 berth run -d --name m1 --network lan -- sleep 1000
  [ "$status" -eq 125 ]
  [[ $output == *"no address by DHCP on eth0"* ]]
  [ "$(snapshot)" = "$before" ]
  [ -z "$(h1 berth ps -aq)" ]
  run -1 h1 berth network create -d ipvlan --ipam-driver dhcp -o parent=eth0 lan2
  [[ $output == *"dhcp"*"macvlan"* ]]
}

@test "host-gateway is the host's own sub-interface, and no router of the segment" {
  create lan -o parent=eth0 -o host_access=true
  create lan2 -o parent=eth0
  start m1 lan --add-host me:host-gateway
  local host
  host=$(h1 berth network inspect lan | jq -r '.[0].IPAM.Config[0].AuxiliaryAddresses.host')
  [ "$(h1 berth exec m1 -- awk '$2 == "me" {print $1}' /etc/hosts)" = "$host" ]
  pings m1 me
  run h1 berth run --rm --network lan2 --add-host me:host-gateway true
  [ "$status" -eq 125 ]
  [[ $output == *"host_access=true"* ]]
  # Of lan2 there is nothing in the kernel.
  [ "$(h1 berth network prune --dry-run)" = "# removes network lan2" ]
}
