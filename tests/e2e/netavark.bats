#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# netavark's own tests (containers/netavark, test/*.bats), by their names, as far as no test of Docker's asserts the
# same (docs/conformance.md has them all).

load helpers

setup_file() {
  lab_up 2
  h1 ip addr add fd00:99::1/64 dev eth0 nodad
  h2 ip addr add fd00:99::2/64 dev eth0 nodad
}
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
# A line that is sent by TCP or UDP and comes back.
echoes() { # host tcp|udp address port
  berth lab exec "t/$1" -- bash -c "exec 5<>/dev/$2/$3/$4 && for _ in 1 2 3 4 5; do
    echo hello >&5; timeout 1 head -c 5 <&5 | grep -q hello && exit; done; exit 1" 2>/dev/null
}
serve_echo() { # container tcp|udp port...
  local name=$1 protocol=$2 port flag=
  shift 2
  [ "$protocol" = tcp ] || flag=-u
  for port in "$@"; do h1 berth exec -d "$name" -- ncat -l -k $flag -e /bin/cat "$port"; done
  for port in "$@"; do
    for _ in $(seq 50); do
      [[ $(h1 berth exec "$name" -- ss -Hln --"$protocol" "sport = :$port") ]] && continue 2
      sleep 0.05
    done
    return 1
  done
}

@test "netavark error - invalid ns path, check non utf-8 paths" {
  h1 berth network create n1
  refused /run/netns/nosuch -- network connect n1 netns:/run/netns/nosuch
  touch "$BATS_TEST_TMPDIR/plain"
  refused plain -- network connect n1 "netns:$BATS_TEST_TMPDIR/plain"
  refused UTF-8 -- network connect n1 $'netns:/run/x\xff'
  refused UTF-8 -- run --network $'ns:/run/x\xff' -- true
}

@test "simple bridge, ipv6 bridge: devices that are up, addresses, the gateway on the bridge, a MAC that stays" {
  id=$(h1 berth network create --subnet 10.88.0.0/16 --subnet fd10:88:a::/64 n1)
  bridge=br-${id:0:12}
  start box --network n1
  [[ $(h1 berth exec box ip -br addr show eth0) == *UP*10.88.0.2/16*fd10:88:a::2/64* ]]
  [[ $(h1 ip -br addr show "$bridge") == *UP*10.88.0.1/16*fd10:88:a::1/64* ]]
  [[ $(h1 berth exec box ip route show default) == *"via 10.88.0.1 "* ]]
  [[ $(h1 berth exec box ip -6 route show default) == *"via fd10:88:a::1 "* ]]
  mac=$(h1 cat "/sys/class/net/$bridge/address")
  start more --network n1
  [ "$(h1 cat "/sys/class/net/$bridge/address")" = "$mac" ]
  [ "$(h1 cat "/proc/sys/net/ipv6/conf/$bridge/accept_ra")" = 0 ]
  [ "$(h1 berth exec box cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" = 0 ]
}

@test "ipv6 bridge with static routes, with blackhole routes" {
  h1 berth network create --subnet 10.88.0.0/16 --subnet fd10:88:a::/64 --route fd20::/64,fd10:88:a::9 \
    --route fd21::/64,fd10:88:a::9,50 --route fd22::/64,blackhole --route fd23::/64,unreachable n1
  run h1 berth run --rm --network n1 -- ip -6 route
  [[ $output == *"fd20::/64 via fd10:88:a::9 "* ]]
  [[ $output =~ "fd21::/64 via fd10:88:a::9 "[^$'\n']*"metric 50" ]]
  [[ $output == *"blackhole fd22::/64"* && $output == *"unreachable fd23::/64"* ]]
}

@test "port forwarding ipv4, ipv6 and dualstack - tcp and udp, single ports and ranges" {
  h1 berth network create --subnet 10.88.0.0/16 --subnet fd10:88:a::/64 dual
  h1 berth network create --subnet 10.89.0.0/16 four
  h1 berth network create --ipv4=false --subnet fd10:90:a::/64 six
  local n=0 network families protocol
  for network in dual four six; do
    n=$((n + 1))
    start "$network" --network $network -p "80${n}0:5001" -p "80${n}0:5001/udp" -p "80${n}1-80${n}3:5002-5004" \
      -p "80${n}1-80${n}3:5002-5004/udp"
    serve_echo $network tcp 5001 5002 5004
    serve_echo $network udp 5001 5002 5004
    for protocol in tcp udp; do
      for port in 0 1 3; do
        [ $network = six ] || echoes h2 $protocol 192.0.2.11 "80$n$port"
        echoes h2 $protocol fd00:99::1 "80$n$port"
      done
    done
  done
  run ! echoes h2 tcp 192.0.2.11 8030
}

@test "port forwarding - sctp" {
  h1 berth network create --subnet 10.88.0.0/16 n1
  start box --network n1 -p 8010:5001/sctp
  [[ $(h1 berth port box) == *"5001/sctp -> 0.0.0.0:8010"* ]]
  [[ $(h1 nft list map inet berth publish4) == *"sctp . 8010"*"10.88.0.2 . 5001"* ]]
  timeout 1 h1 ncat --sctp -l 6000 </dev/null >/dev/null 2>&1 || [ $? = 124 ] || skip "SKIPPED: this kernel has no SCTP"
  h1 berth exec -d box -- ncat --sctp -l -k -e /bin/cat 5001
  sleep 0.3
  [ "$(berth lab exec t/h2 -- bash -c 'echo hello | timeout 2 ncat --sctp 192.0.2.11 8010')" = hello ]
}

@test "port forwarding with hostip, wildcard hostip and localhost" {
  h1 berth network create --subnet 10.88.0.0/16 --subnet fd10:88:a::/64 n1
  start box --network n1 -p 192.0.2.11:8001:5001 -p '[fd00:99::1]:8002:5001' -p 0.0.0.0:8003:5001 -p '[::]:8004:5001' \
    -p 127.0.0.1:8005:5001 -p '[::1]:8006:5001' -p 192.0.2.11:8007:5002/udp -p '[fd00:99::1]:8008:5002/udp'
  serve_echo box tcp 5001
  serve_echo box udp 5002
  local host protocol address port want
  while read -r host protocol address port want; do
    echoes "$host" "$protocol" "$address" "$port" && got=yes || got=no
    [ $got = "$want" ] || { echo "$host $protocol $address $port: $got" && return 1; }
  done <<'END'
h2 tcp 192.0.2.11 8001 yes
h1 tcp 127.0.0.1 8001 no
h2 tcp fd00:99::1 8001 no
h2 tcp fd00:99::1 8002 yes
h2 tcp 192.0.2.11 8002 no
h2 tcp 192.0.2.11 8003 yes
h2 tcp fd00:99::1 8003 no
h2 tcp fd00:99::1 8004 yes
h2 tcp 192.0.2.11 8004 no
h1 tcp 127.0.0.1 8005 yes
h2 tcp 192.0.2.11 8005 no
h1 tcp ::1 8006 yes
h2 tcp fd00:99::1 8006 no
h2 udp 192.0.2.11 8007 yes
h2 udp fd00:99::1 8008 yes
END
}

@test "port forwarding with two networks and RPF - tcp" {
  h1 berth network create --subnet 10.88.0.0/16 n1
  h1 berth network create --subnet 10.89.0.0/16 n2
  start box --privileged --network n1 --network n2 -p 8001:5001
  serve_echo box tcp 5001
  h1 sh -c 'for i in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$i; done'
  h1 berth exec box sh -c 'for i in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$i; done'
  echoes h2 tcp 192.0.2.11 8001
  echoes h1 tcp 127.0.0.1 8001
  h1 sh -c 'for i in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$i; done'
}

@test "port firewall rule cleanup port protocol, and host ip" {
  h1 berth network create --subnet 10.88.0.0/16 n1
  start one --network n1 -p 8001:5001/tcp -p 127.0.0.1:8002:5001
  start two --network n1 -p 8001:5002/udp -p 127.0.0.2:8002:5002
  serve_echo two udp 5002
  serve_echo two tcp 5002
  h1 berth rm -f one
  echoes h2 udp 192.0.2.11 8001
  echoes h1 tcp 127.0.0.2 8002
  run ! echoes h1 tcp 127.0.0.1 8002
}

@test "bridge teardown with missing netns cleans up firewall" {
  h1 berth network create --subnet 10.88.0.0/16 n1
  ip netns add gone
  h1 berth network connect -p 8001:80 n1 netns:/run/netns/gone
  [[ $(h1 nft list map inet berth publish4) == *8001* ]]
  ip netns del gone
  h1 berth network disconnect n1 netns:/run/netns/gone || h1 berth system reconcile
  [[ $(h1 nft list table inet berth) != *8001* ]]
  start box --network n1 --ip 10.88.0.2 -p 8001:80
}

@test "ipv6 disabled on the host's interfaces: the network's own have it all the same" {
  h1 sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
  h1 berth network create --subnet 10.88.0.0/16 --subnet fd10:88:a::/64 n1
  run h1 berth run --rm --network n1 -- ping -c 1 -W 2 fd10:88:a::1
  h1 sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
  [ "$status" = 0 ]
}

@test "bridge - valid veth name, existing veth name" {
  h1 berth network create --subnet 10.88.0.0/16 n1
  start box --network n1:host_ifname=my-veth
  [[ $(h1 ip -br link show my-veth) == my-veth* ]]
  refused my-veth -- run --network n1:host_ifname=my-veth -- true
  refused eth0 -- run --network n1:host_ifname=eth0 -- true
  h1 berth rm -f box
  run ! h1 ip link show my-veth
  start box --network n1:host_interface_name=my-veth
  h1 ip link show my-veth
}

@test "bridge - mtu from default route, from config, from existing bridge" {
  mtu_of() { h1 berth run --rm --network "$1" -- cat /sys/class/net/eth0/mtu; }
  h1 ip link set eth0 mtu 1400
  id=$(h1 berth network create --subnet 10.88.0.0/16 n1)
  h1 ip link set eth0 mtu 1500
  [[ $(h1 ip link show "br-${id:0:12}") == *" mtu 1400 "* ]]
  [ "$(mtu_of n1)" = 1400 ]
  h1 berth network create --subnet 10.89.0.0/16 -o mtu=1300 n2
  [ "$(mtu_of n2)" = 1300 ]
  h1 ip link add lan0 address 02:00:00:00:00:01 mtu 1350 type bridge
  h1 ip addr add 203.0.113.1/24 dev lan0
  h1 ip link set lan0 up
  h1 berth network create -o mode=unmanaged -o com.docker.network.bridge.name=lan0 n3
  [ "$(mtu_of n3)" = 1350 ]
  h1 berth network rm n3
  h1 berth network create -o mode=unmanaged -o com.docker.network.bridge.name=lan0 -o mtu=1300 n3
  [ "$(mtu_of n3)" = 1300 ]
  h1 berth network rm n3
  h1 ip link del lan0
}

@test "vrf - non existent vrf" {
  refused vrf -- network create -o vrf=nosuch n1
}

@test "bridge - vlan: on a kernel without VLAN filtering it is refused in so many words" {
  if h1 berth network create --subnet 10.88.0.0/16 -o vlan=10 n1; then
    start box --network n1
    [[ $(h1 bridge vlan show) == *" 10 PVID Egress Untagged"* ]]
  else
    refused CONFIG_BRIDGE_VLAN_FILTERING -- network create -o vlan=10 n1
    skip "SKIPPED: this kernel has no VLAN filtering: refused in so many words"
  fi
}

lan() { # options...: a macvlan network on eth0
  h1 berth network create -d macvlan -o parent=eth0 "$@"
}

@test "macvlan: static routes, no default route, mtu, metric, modes" {
  lan --subnet 10.88.0.0/16 --gateway 10.88.0.1 --route 10.89.0.0/24,10.88.0.9 --route 10.90.0.0/24,blackhole \
    -o metric=50 -o mtu=1400 n1
  run h1 berth run --rm --network n1 -- sh -c 'ip route; cat /sys/class/net/eth0/mtu'
  [[ $output =~ "default via 10.88.0.1 "[^$'\n']*"metric 50" ]]
  [[ $output == *"10.89.0.0/24 via 10.88.0.9 "* && $output == *"blackhole 10.90.0.0/24"* && $output == *$'\n'1400 ]]
  h1 berth network rm n1
  lan --subnet 10.88.0.0/16 -o no_default_route=true n1
  [ -z "$(h1 berth run --rm --network n1 -- ip route show default)" ]
  h1 berth network rm n1
  local mode
  for mode in bridge private vepa passthru source; do
    lan --subnet 10.88.0.0/16 -o mode=$mode n1
    [[ $(h1 berth run --rm --network n1 -- ip -d link show eth0) == *"macvlan mode $mode"* ]]
    h1 berth network rm n1
  done
  refused bogus passthru -- network create -d macvlan -o parent=eth0 -o mode=bogus n1
}

@test "macvlan same interface name on host, on container" {
  lan --subnet 10.88.0.0/16 n1
  [[ $(h1 berth run --rm --network n1 -- ip -br addr show eth0) == *10.88.0.2/16* ]]
  h1 berth network create --subnet 10.89.0.0/16 n2
  refused eth0 -- run --network n2 --network n1:ifname=eth0 -- true
  [ "$(h1 berth run --rm --network n1 --network n2 -- ls /sys/class/net | paste -sd,)" = eth0,eth1,lo ]
}

@test "macvlan multiple static ips: of one subnet and of several" {
  lan --subnet 10.88.0.0/16 --subnet 10.89.0.0/16 n1
  h1 berth sandbox create bare
  h1 berth attach bare 10.88.0.5/16 10.88.0.6/16 10.89.0.6/16 --network n1
  [[ $(h1 berth exec bare ip -4 -br addr show eth0) == *10.88.0.5/16*10.89.0.6/16*10.88.0.6/16* ]]
  refused 10.88.0.6 bare -- run --network n1 --ip 10.88.0.6 -- true
}

@test "macvlan overlapping subnets, duplicate subnets, addresses outside of them" {
  refused 10.88.0.0/16 10.88.1.0/24 overlap -- network create -d macvlan -o parent=eth0 --subnet 10.88.0.0/16 --subnet 10.88.1.0/24 n1
  refused 10.88.0.0/16 -- network create -d macvlan -o parent=eth0 --subnet 10.88.0.0/16 --subnet 10.88.0.0/16 n1
  lan --subnet 10.88.0.0/16 n1
  refused 10.99.0.2 10.88.0.0/16 -- run --network n1 --ip 10.99.0.2 -- true
}

@test "create - names, interface names, labels, ranges, families, options and routes" {
  h1 berth network create --subnet 10.88.0.0/16 -o com.docker.network.bridge.name=used0 used
  refused used exists -- network create used
  refused used0 -- network create -o com.docker.network.bridge.name=used0 n1
  refused "''" -- network create ''
  refused 'b@d' -- network create 'b@d'
  refused 10.88.0.0/24 used -- network create --subnet 10.88.0.0/24 n1
  refused 10.88.0.0/16 used -- network create --subnet 10.88.0.0/16 n1
  refused /32 -- network create --subnet 10.1.0.0/32 n1
  refused 10.2.0.1 -- network create --subnet 10.1.0.0/24 --gateway 10.2.0.1 n1
  refused mtu=x -- network create -o mtu=x n1
  refused vlan=4095 -- network create -o vlan=4095 n1
  refused isolate=x -- network create -o isolate=x n1
  refused metric=x -- network create -o metric=x n1
  refused 10.9.0.0 -- network create --subnet 10.1.0.0/24 --route 10.9.0.0,10.1.0.1 n1
  refused mumble -- network create --subnet 10.1.0.0/24 --route 10.9.0.0/16,mumble n1
  refused 10.9.0.0/16 -- network create --subnet 10.1.0.0/24 --route 10.9.0.0/16 n1
  refused blackhole -- network create --subnet 10.1.0.0/24 --route 10.9.0.0/16,10.1.0.9,blackhole n1
  h1 berth network create -o isolate=true n2
  h1 berth network create -o isolate=strict n3
  h1 berth network create --ipv6 --subnet 10.1.0.0/24 n4
  [[ $(h1 berth network inspect -f '{{range .IPAM.Config}}{{.Subnet}} {{end}}' n4) == "10.1.0.0/24 fd"*"/64 " ]]
  h1 berth network create --subnet 10.2.0.0/24 --subnet fd02::/64 n5
  [ "$(h1 berth network inspect -f '{{.EnableIPv6}}' n5)" = true ]
  [ "$(h1 berth network ls -q --filter type=custom | wc -l)" = 5 ]
}
