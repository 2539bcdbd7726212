#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Docker's own tests of networks and of containers on them (moby, integration/network, integration/networking and
# integration-cli), by their names: addresses, names, options, errors.

load helpers

setup_file() {
  lab_up 2
  h1 ip addr add 192.0.2.111/24 dev eth0
  h1 ip addr add fd00:99::1/64 dev eth0 nodad
  h1 ip addr add fd00:99::111/64 dev eth0 nodad
  h2 ip addr add fd00:99::2/64 dev eth0 nodad
}
teardown_file() { lab_down; }
teardown() {
  h1 sh -c 'berth ps -aq | xargs -r berth rm -f
    for _ in 1 2; do berth network ls -q --filter type=custom | xargs -r berth network rm -f; done' >/dev/null 2>&1
  run h1 ip -br link
  [[ $output != *br-* && $output != *veth* ]]
}

start() { # name network... and options of run
  local name=$1
  shift
  h1 berth run -d --name "$name" "$@" -- sleep 1000
}
of_network() { # network jq-expression
  h1 berth network inspect "$1" | jq -r ".[0]$2"
}
endpoint() { # container network field
  inspect "$1" ".[0].NetworkSettings.Networks[\"$2\"].$3"
}

@test "TestNetworkCreateDelete, TestNetworkList, TestNetworkInspectGateway: one of each family, with its gateway" {
  h1 berth network create --ipv6 n1
  [ "$(h1 berth network ls --format '{{.Name}}' --filter name=n1)" = n1 ]
  [ "$(of_network n1 '.IPAM.Config | length')" = 2 ]
  [ "$(of_network n1 '.IPAM.Config | map(has("Gateway")) | all')" = true ]
  h1 berth network rm n1
  refused n1 -- network inspect n1
}

@test "TestForbidDuplicateNetworkNames, TestCreateDeletePredefinedNetworks" {
  h1 berth network create n1
  refused n1 exists -- network create n1
  for name in bridge host none; do
    refused $name -- network create $name
    refused $name predefined -- network rm $name
  done
  refused default bridge -- network create default
  [[ $(h1 berth run --rm --network default -- ip -br addr) == *eth0* ]]
}

@test "TestDockerNetworkDeletePreferID: what is a name in full comes before the beginning of an id" {
  local id short
  id=$(h1 berth network create n1)
  short=${id:0:12}
  h1 berth network create "$id"
  h1 berth network create "$short"
  h1 berth network rm "$id"
  [ "$(h1 berth network ls --format '{{.Name}}' --filter type=custom | sort)" = "$(printf '%s\n' "$id" "$short" | sort)" ]
  h1 berth network rm "$short"
  [ "$(h1 berth network ls --format '{{.Name}}' --filter type=custom)" = "$id" ]
}

@test "TestDockerNetworkDeleteMultiple, DeleteNotExists: what can go goes, and the rest is named" {
  h1 berth network create n1
  h1 berth network create n2
  h1 berth network create n3
  start box --network n2
  refused n2 box nosuch -- network rm n1 n2 nosuch n3
  [ "$(h1 berth network ls --format '{{.Name}}' --filter type=custom)" = n2 ]
}

@test "TestDockerInspectMultipleNetworksIncludingNonexistent: those that are there are shown" {
  h1 berth network create n1
  run --separate-stderr h1 berth network inspect n1 nosuch bridge
  [ "$status" = 1 ]
  [ "$(jq -r '.[].Name' <<<"$output" | paste -sd,)" = n1,bridge ]
  [[ $stderr == *nosuch* ]]
}

@test "TestDockerNetworkInspectWithID, TestDockerNetworkRunNetByID, TestDockerInspectNetworkWithContainerName" {
  local id
  id=$(h1 berth network create n1)
  h1 berth run -d --name box --network "${id:0:12}" -- sleep 1000
  [ "$(of_network "$id" '.Containers | map(.Name) | join(",")')" = box ]
  [ "$(of_network "${id:0:12}" .Name)" = n1 ]
}

@test "TestCreateWithIPv6WithoutEnableIPv6Flag, TestDefaultIPvOptOverride: families by option, a flag before it" {
  h1 berth network create -o com.docker.network.enable_ipv6=true n1
  [[ $(of_network n1 '.IPAM.Config | map(.Subnet) | join(" ")') == *fd*::/64* ]]
  h1 berth network create -o com.docker.network.enable_ipv4=false -o com.docker.network.enable_ipv6=true n2
  [ "$(of_network n2 '| "\(.EnableIPv4) \(.EnableIPv6)"')" = "false true" ]
  h1 berth network create --ipv6=false -o com.docker.network.enable_ipv6=true n3
  [ "$(of_network n3 .EnableIPv6)" = false ]
}

@test "TestPreferredSubnetRestore: 0.0.0.0/24 and ::/120 ask for a free subnet of that size" {
  h1 berth network create --subnet 0.0.0.0/24 n4
  h1 berth network create --ipv4=false --ipv6 --subnet ::/120 n6
  h1 berth network create --subnet 0.0.0.0/24 --subnet ::/120 both
  [[ $(of_network n4 '.IPAM.Config[0].Subnet') =~ ^172\..*/24$ ]]
  [[ $(of_network n6 '.IPAM.Config[0].Subnet') =~ ^fd.*/120$ ]]
  [[ $(of_network both '.IPAM.Config | map(.Subnet) | join(" ")') =~ ^172\..*/24\ fd.*/120$ ]]
  [ "$(h1 berth network inspect n4 n6 both | jq -r '.[].IPAM.Config[].Subnet' | sort -u | wc -l)" = 4 ]
  refused /31 -- network create --subnet 0.0.0.0/31 n5
}

@test "TestSetIPWithNoConfiguredSubnet: addresses of subnets that berth chose" {
  h1 berth network create --ipv6 n1
  local ip4 ip6
  ip4=$(of_network n1 '.IPAM.Config[0].Gateway' | sed 's/1$/9/')
  ip6=$(of_network n1 '.IPAM.Config[1].Gateway' | sed 's/1$/9/')
  run h1 berth run --rm --network n1 --ip "$ip4" --ip6 "$ip6" -- ip addr show eth0
  [[ $output == *" $ip4/"* && $output == *" $ip6/"* ]]
}

@test "Test64BitIPRange, TestIPRangeAt64BitLimit: ranges in the upper and the lower half of an address" {
  while read -r subnet options; do
    # shellcheck disable=SC2086
    h1 berth network create --ipv6 --subnet $subnet $options n1
    h1 berth network rm n1
  done <<'END'
fd2e:b68c:ce26::/64
fd2e:b68c:ce26::/64 --gateway fd2e:b68c:ce26::1
fd2e:b68c:ce26::/64 --ip-range fd2e:b68c:ce26::/64
fd2e:b68c:ce26::/56 --ip-range fd2e:b68c:ce26::/64 --gateway fd2e:b68c:ce26::1
END
  while read -r subnet range first; do
    h1 berth network create --ipv6 --subnet "$subnet" --ip-range "$range" n1
    [[ $(h1 berth run --rm --network n1 -- ip -6 -o addr show eth0) == *" $first/"* ]]
    h1 berth network rm n1
  done <<'END'
fda9:8d04:86e::/64 fda9:8d04:86e::ffff:ffff:ffff:ff0e/127 fda9:8d04:86e:0:ffff:ffff:ffff:ff0e
fda9:8d04:86e::/64 fda9:8d04:86e::ffff:ffff:ffff:fffe/127 fda9:8d04:86e:0:ffff:ffff:ffff:fffe
fda9:8d04:86e::/56 fda9:8d04:86e:aa:ffff:ffff:ffff:fffe/127 fda9:8d04:86e:aa:ffff:ffff:ffff:fffe
END
}

@test "TestBridgeIPAMStatus: what is in use and what is left, with a range and auxiliary addresses" {
  h1 berth network create --subnet 192.168.0.0/24 --ip-range 192.168.0.64/31 --gateway 192.168.0.1 \
    --aux-address r0=192.168.0.65 --aux-address r1=192.168.0.128 \
    --subnet 2001:db8:abcd::/64 --ip-range 2001:db8:abcd::/120 --gateway 2001:db8:abcd::1 \
    --aux-address s0=2001:db8:abcd::2a --aux-address s1=2001:db8:abcd::8000 n1
  status() { h1 berth network inspect -v n1 | jq -c '.[0].Status.IPAM.Subnets | map([.IPsInUse, .DynamicIPsAvailable])'; }
  [ "$(status)" = "[[5,1],[4,253]]" ]
  start in --network n1
  [ "$(status)" = "[[6,0],[5,252]]" ]
  start out --network n1:ip=192.168.0.129,ip6=2001:db8:abcd::9000
  [ "$(status)" = "[[7,0],[6,252]]" ]
  h1 berth rm -f in out
  [ "$(status)" = "[[5,1],[4,253]]" ]
}

@test "TestDaemonDefaultNetworkPools: subnets of the pools that were given, and none beyond them" {
  pooled() { h1 berth --default-address-pool base=10.20.0.0/23,size=24 network create "$1"; }
  pooled n1
  pooled n2
  [ "$(h1 berth network inspect n1 n2 | jq -r '.[].IPAM.Config[0].Subnet' | paste -sd' ')" = "10.20.0.0/24 10.20.1.0/24" ]
  run pooled n3
  [ "$status" = 1 ]
  [[ $output == *10.20.0.0/23* ]]
}

@test "TestDockerNetworkIPAMInvalidCombinations, TestDockerNetworkNullIPAMDriver" {
  refused "2 IPv4 subnets" -- network create --subnet 10.1.0.0/24 --subnet 10.1.0.128/25 n1
  refused 10.2.0.0/24 -- network create --subnet 10.1.0.0/24 --ip-range 10.2.0.0/24 n1
  refused 10.2.0.1 -- network create --subnet 10.1.0.0/24 --gateway 10.2.0.1 n1
  refused 10.1.0.2 -- network create --subnet 10.1.0.0/24 --gateway 10.1.0.1 --gateway 10.1.0.2 n1
  refused 10.2.0.9 -- network create --subnet 10.1.0.0/24 --aux-address a=10.2.0.9 n1
  refused null subnets -- network create --ipam-driver null --subnet 10.1.0.0/24 n1
  h1 berth network create --ipam-driver null n1
  [ -z "$(h1 berth run --rm --network n1 -- ip -4 -o addr show eth0)" ]
}

@test "TestDefaultNetworkOpts: MTU of the network, and of the template it is made from" {
  for i in plain:1500 "given:1234:-o com.docker.network.driver.mtu=1234" "from:1233:--config-from template"; do
    IFS=: read -r name mtu options <<<"$i"
    [ "$name" != from ] || h1 berth network create --config-only -o com.docker.network.driver.mtu=1233 template
    # shellcheck disable=SC2086
    id=$(h1 berth network create $options "$name")
    start box --network "$name"
    [[ $(h1 ip link show "br-${id:0:12}") == *" mtu $mtu "* ]]
    [[ $(h1 berth exec box ip link show eth0) == *" mtu $mtu "* ]]
    h1 berth rm -f box
  done
  refused 1279 IPv6 -- network create --ipv6 -o mtu=1279 small
}

@test "TestHostIPv4BridgeLabel, netavark's bridge with outbound addr4 and addr6: under the address that was asked for" {
  h1 berth network create --subnet 10.1.0.0/24 --subnet fd01::/64 -o com.docker.network.host_ipv4=192.0.2.111 \
    -o outbound_addr6=fd00:99::111 n1
  h1 berth run --rm --network n1 -- sh -c 'ping -c 1 -W 2 192.0.2.12 && ping -c 1 -W 2 fd00:99::2'
  [[ $(h1 conntrack -L -p icmp --src 10.1.0.2) == *"src=192.0.2.12 dst=192.0.2.111"* ]]
  [[ $(h1 conntrack -L -f ipv6 -p icmpv6 --src fd01::2) == *"src=fd00:99::2 dst=fd00:99::111"* ]]
}

@test "TestHostGatewayFromDocker0: host-gateway is the bridge's address of each family" {
  h1 berth network create --subnet 10.1.0.0/24 --subnet fd01::/64 n1
  run h1 berth run --rm --network n1 --add-host hg:host-gateway -- grep 'hg$' /etc/hosts
  [ "$output" = $'10.1.0.1\thg\nfd01::1\thg' ]
}

@test "an auxiliary address called DefaultGatewayIPv4 is the way out" {
  h1 berth network create --subnet 10.1.0.0/24 --subnet fd01::/64 --aux-address DefaultGatewayIPv4=10.1.0.254 \
    --aux-address DefaultGatewayIPv6=fd01::fe n1
  run h1 berth run --rm --network n1 -- sh -c 'ip route show default; ip -6 route show default'
  [[ $output == *"via 10.1.0.254 "*"via fd01::fe "* ]]
}

@test "TestNetworkCreateErrorNoBridge: a device of the bridge's name is in the way, and nothing is left" {
  h1 ip link add br-taken type dummy 2>/dev/null || h1 ip link add br-taken type veth peer name taken-peer
  before=$(snapshot)
  refused br-taken -- network create -o com.docker.network.bridge.name=br-taken n1
  [ "$(snapshot)" = "$before" ]
  [ -z "$(h1 berth network ls -q --filter name=n1)" ]
  h1 ip link del br-taken
}

@test "TestPointToPoint: both addresses of a /31, where inhibit_ipv4 leaves no gateway" {
  h1 berth network create --internal --subnet 10.1.0.0/31 -o com.docker.network.bridge.inhibit_ipv4=true p2p
  start one --network p2p
  start two --network p2p
  h1 berth exec one ping -c 1 -W 2 10.1.0.1
  h1 berth exec two ping -c 1 -W 2 10.1.0.0
}

@test "TestIsolated: with IPv6 too the bridge has no address at all" {
  h1 berth network create --internal --subnet 10.1.0.0/24 --subnet fd01::/64 \
    -o com.docker.network.bridge.gateway_mode_ipv4=isolated -o com.docker.network.bridge.gateway_mode_ipv6=isolated \
    -o com.docker.network.bridge.name=iso0 iso
  [ -z "$(h1 ip -o addr show dev iso0)" ]
  start one --network iso
  start two --network iso
  h1 berth exec one ping -c 1 -W 2 "$(endpoint two iso IPAddress)"
  h1 berth exec one ping -c 1 -W 2 "$(endpoint two iso GlobalIPv6Address)"
  [ -z "$(h1 berth exec one sh -c 'ip route show default; ip -6 route show default')" ]
}

@test "TestMACAddrOnRestart: a new container never has the address of one that is there" {
  h1 berth network create n1
  start c1 --network n1
  h1 berth rm -f c1
  start c2 --network n1
  start c1 --network n1
  [ "$(endpoint c1 n1 MacAddress)" != "$(endpoint c2 n1 MacAddress)" ]
}

@test "TestInspectCfgdMAC, TestNetworkConnectWithMACAddress, TestDockerNetworkConnectWithMac" {
  h1 berth network create n1
  h1 berth network create n2
  start c1 --network n1 --mac-address 02:42:ac:11:00:42
  [ "$(endpoint c1 n1 MacAddress)" = 02:42:ac:11:00:42 ]
  h1 berth network connect --mac-address 02:42:ac:11:00:43 n2 c1
  [ "$(endpoint c1 n2 MacAddress)" = 02:42:ac:11:00:43 ]
  [ "$(h1 berth exec c1 cat /sys/class/net/eth1/address)" = 02:42:ac:11:00:43 ]
}

@test "TestWatchtowerCreate: address outside the range and MAC address on macvlan" {
  h1 berth network create -d macvlan -o parent=eth0 --subnet 172.30.0.0/29 --ip-range 172.30.0.1/32 \
    --gateway 172.30.0.6 n1
  start c1 --network n1 --ip 172.30.0.2 --mac-address 02:42:ac:11:00:42
  [ "$(endpoint c1 n1 IPAddress) $(endpoint c1 n1 MacAddress)" = "172.30.0.2 02:42:ac:11:00:42" ]
}

@test "TestMacvlanIPAM: both families, either, none" {
  while read -r name four six options; do
    # shellcheck disable=SC2086
    h1 berth network create -d macvlan -o parent=eth0 $options "$name"
    run h1 berth run --rm --network "$name" -- sh -c 'ip addr show dev eth0; cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6'
    [[ $four = yes && $output == *" inet "* || $four = no && $output != *" inet "* ]]
    [[ $six = yes && $output == *" inet6 "*$'\n'0 || $six = no && $output != *" inet6 "* && $output == *$'\n'1 ]]
    h1 berth network rm "$name"
  done <<'END'
dual yes yes --subnet 10.66.77.0/24 --ip-range 10.66.77.64/30 --aux-address in=10.66.77.65 --subnet 2001:db8:abcd::/64
four yes no --subnet 10.66.77.0/24
six no yes --ipv4=false --subnet 2001:db8:abcd::/64
neither no no --ipam-driver null
END
}

@test "TestMacvlanIPAMOverlap: no address twice on networks of one subnet with ranges that meet" {
  lan() { h1 berth network create -d macvlan -o parent=eth0 --subnet 192.168.0.0/24 --gateway 192.168.0.1 --ip-range "$2" "$1"; }
  lan n1 192.168.0.0/25
  lan n2 192.168.0.0/24
  lan n3 192.168.0.128/25
  start c1 --network n1
  start c2 --network n2
  start c3 --network n1
  start c4 --network n3
  [ "$(endpoint c1 n1 IPAddress) $(endpoint c2 n2 IPAddress) $(endpoint c3 n1 IPAddress)" = \
    "192.168.0.2 192.168.0.3 192.168.0.4" ]
  [[ $(endpoint c4 n3 IPAddress) == 192.168.0.12[89] ]]
}

@test "TestPointToPoint: a /31 on macvlan" {
  h1 berth network create -d macvlan -o parent=eth0 --internal --subnet 192.168.135.0/31 p2p
  start one --network p2p
  start two --network p2p
  h1 berth exec one ping -c 1 -W 2 192.168.135.1
}

@test "TestJoinError: a default route is in the way: not connected, and everything as before; then it is" {
  h1 berth network create --internal --subnet 10.1.0.0/24 inner
  h1 berth network create --subnet 10.2.0.0/24 outer
  start box --network inner
  h1 berth exec --privileged box ip route add default via 10.1.0.1
  refused "10.2.0.1" -- network connect outer box
  [ "$(inspect box '.[0].NetworkSettings.Networks | keys | join(",")')" = inner ]
  [ "$(of_network outer '.Containers | length')" = 0 ]
  [ "$(h1 berth exec box ls /sys/class/net | paste -sd,)" = eth0,lo ]
  h1 berth exec --privileged box ip route del default via 10.1.0.1
  h1 berth network connect outer box
  [ "$(of_network outer '.Containers | length')" = 1 ]
  [ "$(h1 berth exec box ls /sys/class/net | paste -sd,)" = eth0,eth1,lo ]
}

@test "TestGatewayErrorOnNetDisconnect: the interface that would be the way out is down" {
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth network create --subnet 10.2.0.0/24 n2
  start box --network n1:gw-priority=1 --network n2:ifname=eth2
  h1 berth exec --privileged box ip link set eth2 down
  h1 berth network disconnect n1 box
  [ -z "$(h1 berth exec box ip route show default)" ]
  h1 berth network connect n1 box
  [[ $(h1 berth exec box ip route show default) == *"via 10.1.0.1 "* ]]
  [ "$(inspect box '.[0].NetworkSettings.Networks | keys | join(",")')" = n1,n2 ]
}

@test "TestEndpointWithCustomIfname, TestCustomIfnameCollidesWithExistingIface, TestCustomIfnameWithMatchingDynamicPrefix" {
  local option=driver-opt=com.docker.network.endpoint.ifname
  for i in 0 1 2; do h1 berth network create --subnet "10.$((i + 1)).0.0/24" "n$i"; done
  [[ $(h1 berth run --rm --network "n0:$option=foobar" -- ip -o link show foobar) == *": foobar@if"* ]]
  start box --network n0
  refused eth0 -- network connect --driver-opt com.docker.network.endpoint.ifname=eth0 n1 box
  h1 berth rm -f box
  # Numbers of others that are taken by a name that was asked for are passed over.
  start box --network "n0:$option=eth1" --network n1 --network n2
  [ "$(h1 berth exec box ip -4 -br addr show | awk '{print $1, $3}' | sed 's/@[^ ]*//' | paste -sd,)" = \
    "lo 127.0.0.1/8,eth1 10.1.0.2/24,eth0 10.2.0.2/24,eth2 10.3.0.2/24" ]
}

@test "TestSetEndpointSysctl: IFNAME in capitals or not" {
  h1 berth network create n1
  for place in IFNAME ifname; do
    for value in 0 1; do
      [ "$(h1 berth run --rm --network "n1:driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.$place.forwarding=$value" \
        -- cat /proc/sys/net/ipv4/conf/eth0/forwarding)" = $value ]
    done
  done
}

@test "TestDisableIPv6OnInterface, TestContainerDisabledIPv6: no address of a family that is switched off" {
  h1 berth network create --subnet 10.1.0.0/24 --subnet fd01::/64 n1
  start with --network n1
  start without --network n1:driver-opt=com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.disable_ipv6=1 -p 8080:80
  serve without 80
  [[ $(h1 berth exec without ip addr show eth0) != *inet6* ]]
  [ -z "$(endpoint without n1 GlobalIPv6Address)" ]
  [ "$(endpoint with n1 GlobalIPv6Address)" = fd01::2 ]
  h1 berth exec with ping -c 1 -W 2 10.1.0.3
  [ "$(fetch h2 'http://[fd00:99::1]:8080')" = "hello from without" ]
  [ -z "$(h1 berth system reconcile)" ]
}

@test "TestReadOnlySlashProc: where IPv6 cannot be switched off that is told, and nothing is left" {
  h1 berth network create --subnet 10.1.0.0/24 n4
  before=$(snapshot)
  run h1 unshare -m sh -c 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"' _ \
    berth run --rm --network n4 -- true
  [ "$status" = 125 ]
  [[ $output == *disable_ipv6*"read-only"* && $(snapshot) == "$before" ]]
}

@test "TestDockerNetworkConnectDisconnect: interface, address and record come and go" {
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth network create --subnet 10.2.0.0/24 n2
  start box --network n1
  h1 berth network connect n2 box
  [[ $(h1 berth exec box ip -4 -o addr) == *10.2.0.2/24* ]]
  refused already -- network connect n2 box
  h1 berth network disconnect n2 box
  [ "$(of_network n2 '.Containers | length')" = 0 ]
  refused box n2 -- network disconnect n2 box
  h1 berth network disconnect n1 box
  [ "$(h1 berth exec box ls /sys/class/net)" = lo ]
  h1 berth network connect n1 box
  [[ $(h1 berth exec box ip route show default) == *"via 10.1.0.1 "* ]]
}

@test "TestDockerNetworkConnectToHostFromOtherNetwork, TestDockerNetworkDisconnectFromHost" {
  start own
  start shared --network host
  h1 berth network create n1
  refused host -- network connect host own
  refused host -- network disconnect host shared
  refused host -- network connect n1 shared
}

@test "TestDockerNetworkConnectPreferredIP, TestDockerNetworkUnsupportedRequiredIP, TestDockerNetworkValidateIP" {
  h1 berth network create --subnet 172.28.0.0/16 --subnet 2001:db8:1234::/64 n1
  start c0 --network n1 --ip 172.28.99.88 --ip6 2001:db8:1234::9988
  [ "$(endpoint c0 n1 IPAddress) $(endpoint c0 n1 GlobalIPv6Address)" = "172.28.99.88 2001:db8:1234::9988" ]
  refused 172.28.99.88 c0 -- run --network n1 --ip 172.28.99.88 -- true
  refused 172.29.0.1 -- run --network n1 --ip 172.29.0.1 -- true
  refused mumble -- run --network n1 --ip mumble -- true
  refused 2001:db8::/32 -- run --network n1 --ip6 2001:db8::/32 -- true
  refused --ip none -- run --network none --ip 10.0.0.9 -- true
}

@test "TestDockerNetworkFlagAlias, TestUserDefinedNetworkConnectDisconnectAlias: aliases are kept with the endpoint" {
  h1 berth network create n1
  start box --network n1 --network-alias db --network-alias store
  [[ $(endpoint box n1 'Aliases | join(" ")') == *"db store"* ]]
  h1 berth network disconnect n1 box
  h1 berth network connect --alias other n1 box
  [[ $(endpoint box n1 'Aliases | join(" ")') == *other* && $(endpoint box n1 'Aliases | join(" ")') != *store* ]]
}

@test "TestDockerNetworkConnectWithAliasOnDefaultNetworks: none there" {
  refused db bridge -- run --network-alias db -- true
  start box
  h1 berth network disconnect bridge box
  refused db bridge -- network connect --alias db bridge box
}

@test "TestDockerNetworkCreateDeleteSpecialCharacters: a name may have dots, hyphens and underscores, and no others" {
  h1 berth network create dot.net-work_1
  h1 berth network rm dot.net-work_1
  for name in 'a b' a/b '.a' 'a:b' 'a@b' 'ä'; do refused "$name" -- network create "$name"; done
}

@test "TestPortList, TestPortHostBinding, TestPortExposeHostBinding: what run, port and ps tell, and when it is over" {
  h1 berth network create n1
  start box --network n1 -p 9876:80
  [ "$(h1 berth port box 80)" = $'0.0.0.0:9876\n[::]:9876' ] || [ "$(h1 berth port box 80)" = 0.0.0.0:9876 ]
  [[ $(h1 berth ps) == *9876*80/tcp* ]]
  refused 9876 box -- run --network n1 -p 9876:80 -- true
  start more --network n1 -p 9877:80 -p 9878:80
  [ "$(h1 berth port more 80 | grep -c 0.0.0.0)" = 2 ]
  h1 berth rm -f box
  start again --network n1 -p 9876:80
  refused 81 again -- port again 81
}

@test "TestConntrackFlowsLeak: a container's UDP flows do not outlive it" {
  h1 berth network create --subnet 10.1.0.0/24 n1
  start server --network n1 -p 8080:80/udp
  h2 bash -c 'echo hello >/dev/udp/192.0.2.11/8080'
  [[ $(h1 conntrack -L -p udp --orig-port-dst 8080) == *10.1.0.2* ]]
  h1 berth rm -f server
  [[ $(h1 conntrack -L -p udp --orig-port-dst 8080) != *10.1.0.2* ]]
}
