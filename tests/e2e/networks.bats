#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Networks as their users see them: every flag of create, several networks a sandbox and which of them its
# default route goes by, static routes, templates, and what lists, prunes and counts them.

load helpers

setup_file() { lab_up 1; }
teardown_file() { lab_down; }

teardown() {
  h1 sh -c 'berth ps -aq | xargs -r berth rm -f; berth network ls -q --filter type=custom |
    xargs -r berth network rm -f || berth network ls -q --filter type=custom | xargs -r berth network rm -f' >/dev/null 2>&1
  # Nothing that a test made outlives it: no bridge, no veth.
  run h1 ip -br link
  [[ $output != *br-* && $output != *veth* ]]
}

default4() { h1 berth exec "$1" ip -4 route show default; }
default6() { h1 berth exec "$1" ip -6 route show default; }
has_ipv6() { [ -e /proc/sys/net/ipv6 ] || skip "SKIPPED: this kernel has no IPv6"; }

@test "TestCreateWithPriority, TestCreateWithMultiNetworks: the default route goes by the highest priority" {
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth network create --subnet 10.2.0.0/24 n2
  h1 berth network create --subnet 10.3.0.0/24 n3
  h1 berth run -d --name box --network n3:gw-priority=-1 --network name=n1,gw-priority=1 --network n2 -- sleep 1000
  [[ $(default4 box) == *"via 10.1.0.1 dev eth1"* ]]

  # Interfaces are numbered in the order of the options.
  run h1 berth exec box ip -4 -br addr
  [[ $output == *"eth0"*"10.3.0.2/24"*"eth1"*"10.1.0.2/24"*"eth2"*"10.2.0.2/24"* ]]
  [ "$(inspect box '.[0].NetworkSettings.Networks.n3.GwPriority')" = -1 ]
}

@test "TestConnectWithPriority: a higher priority takes the default route over, a lower one leaves it" {
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth network create --subnet 10.2.0.0/24 n2
  h1 berth network create --subnet 10.3.0.0/24 n3
  h1 berth run -d --name box --network n2 -- sleep 1000
  h1 berth network connect --gw-priority 10 n3 box
  [[ $(default4 box) == *"via 10.3.0.1 dev eth1"* ]]
  h1 berth network connect --gw-priority 9 n1 box
  [[ $(default4 box) == *"via 10.3.0.1 dev eth1"* ]]
  h1 berth network disconnect n3 box
  [[ $(default4 box) == *"via 10.1.0.1 dev eth2"* ]]
  h1 berth network disconnect n1 box
  [[ $(default4 box) == *"via 10.2.0.1 dev eth0"* ]]
}

@test "TestGatewaySelection: each family has its own gateway; of equal ones the first name wins" {
  has_ipv6
  h1 berth network create --internal --subnet 10.9.0.0/24 inner
  h1 berth network create --subnet 10.1.0.0/24 four
  h1 berth network create --ipv4=false --subnet fd06::/64 six
  h1 berth network create --subnet 10.2.0.0/24 --subnet fd02::/64 dual
  h1 berth run -d --name box --network inner -- sleep 1000
  [ -z "$(default4 box)$(default6 box)" ]
  h1 berth network connect four box
  [[ $(default4 box) == *"via 10.1.0.1 "* && -z $(default6 box) ]]
  h1 berth network connect six box
  [[ $(default4 box) == *"via 10.1.0.1 "* && $(default6 box) == *"via fd06::1 "* ]]
  h1 berth network connect dual box
  [[ $(default4 box) == *"via 10.2.0.1 "* && $(default6 box) == *"via fd02::1 "* ]]
  h1 berth network disconnect dual box
  [[ $(default4 box) == *"via 10.1.0.1 "* && $(default6 box) == *"via fd06::1 "* ]]
  h1 berth network disconnect four box
  [[ -z $(default4 box) && $(default6 box) == *"via fd06::1 "* ]]
}

@test "route metric, no default route (netavark): the lower metric wins among equal priorities" {
  h1 berth network create --subnet 10.1.0.0/24 -o metric=300 a-dear
  h1 berth network create --subnet 10.2.0.0/24 -o metric=50 b-cheap
  h1 berth network create --subnet 10.3.0.0/24 -o no_default_route=true c-none
  h1 berth run -d --name box --network c-none:gw-priority=9 --network a-dear --network b-cheap -- sleep 1000
  [[ $(default4 box) == *"via 10.2.0.1 dev eth2"*"metric 50"* ]]
  h1 berth network disconnect b-cheap box
  [[ $(default4 box) == *"via 10.1.0.1 dev eth1"*"metric 300"* ]]
  h1 berth network disconnect a-dear box
  [ -z "$(default4 box)" ]
}

@test "bridge with static routes, with blackhole routes (netavark): they come and go with an endpoint" {
  h1 berth network create --subnet 10.1.0.0/24 --route 10.8.0.0/16,10.1.0.9 --route 10.8.0.0/16,10.1.0.8,70 \
    --route 10.9.0.0/16,blackhole --route 10.10.0.0/16,unreachable --route 10.11.0.0/16,prohibit,7 n1
  h1 berth network create --subnet 10.2.0.0/24 n2
  h1 berth run -d --name box --network n2 -- sleep 1000
  h1 berth exec box ip route | sort >"$BATS_TEST_TMPDIR/before"
  h1 berth network connect --gw-priority -1 n1 box
  run h1 berth exec box ip route
  [[ $output == *"10.8.0.0/16 via 10.1.0.9 dev eth1"* ]]
  [[ $output == *"10.8.0.0/16 via 10.1.0.8 dev eth1 "*"metric 70"* ]]
  [[ $output == *"blackhole 10.9.0.0/16"* ]]
  [[ $output == *"unreachable 10.10.0.0/16"* ]]
  [[ $output == *"prohibit 10.11.0.0/16 "*"metric 7"* ]]

  # What somebody deletes, reconcile makes again.
  h1 berth exec --privileged box ip route del blackhole 10.9.0.0/16
  h1 berth system reconcile
  [[ $(h1 berth exec box ip route) == *"blackhole 10.9.0.0/16"* ]]
  [ -z "$(h1 berth system reconcile)" ]

  h1 berth network disconnect n1 box
  diff "$BATS_TEST_TMPDIR/before" <(h1 berth exec box ip route | sort)

  # Two routes in one place: refused by name, and nothing changed.
  h1 berth network create --subnet 10.3.0.0/24 --route 10.9.0.0/16,blackhole n3
  h1 berth network connect n1 box
  run ! h1 berth network connect n3 box
  [[ $output == *10.9.0.0/16*box*n1* ]]
  [ "$(inspect box '.[0].NetworkSettings.Networks | keys | join(",")')" = n1,n2 ]
}

@test "a route by way of another sandbox" {
  h1 berth network create --subnet 10.1.0.0/24 uplink
  h1 berth network create --subnet 10.2.0.0/24 -o no_default_route=true --route 0.0.0.0/0,via=vpn inner
  h1 berth run -d --name vpn --privileged --network uplink -- sleep 1000

  h1 berth network connect --ip 10.2.0.200 inner vpn
  [[ $(default4 vpn) == *"via 10.1.0.1 dev eth0"* ]]
  h1 berth exec vpn sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  h1 berth run -d --name user --network inner -- sleep 1000
  [[ $(default4 user) == *"via 10.2.0.200 dev eth0"* ]]
  run h1 berth exec vpn ip route get 10.2.0.3
  [[ $output == *"dev eth1"* ]]

  # When it ends, nothing goes to whoever gets its address; the next of that name is found.
  h1 berth stop -t 0 vpn
  [[ $(default4 user) == "unreachable default"* ]]
  h1 berth run -d --name stranger --network inner:ip=10.2.0.200 -- sleep 1000
  [[ $(default4 user) == "unreachable default"* ]]
  h1 berth rm vpn
  h1 berth run -d --name vpn --network inner:ip=10.2.0.99 -- sleep 1000
  [[ $(default4 user) == *"via 10.2.0.99 dev eth0"* ]]
  [ -z "$(h1 berth system reconcile)" ]
}

@test "TestSetInterfaceSysctl, TestDockerNetworkConnectLinkLocalIP: settings of one interface" {
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth run -d --name box \
    --network 'name=n1,ifname=lan0,"driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.rp_filter=2"' \
    --link-local-ip 169.254.7.7 -- sleep 1000
  [ "$(h1 berth exec box cat /proc/sys/net/ipv4/conf/lan0/log_martians)" = 1 ]
  [ "$(h1 berth exec box cat /proc/sys/net/ipv4/conf/lan0/rp_filter)" = 2 ]
  [[ $(h1 berth exec box ip -4 -br addr show lan0) == *10.1.0.2/24*169.254.7.7/16* ]]
  [ "$(inspect box '.[0].NetworkSettings.Networks.n1.IPAMConfig.LinkLocalIPs[0]')" = 169.254.7.7 ]

  h1 berth network create --subnet 10.2.0.0/24 n2
  h1 berth network connect --driver-opt com.docker.network.endpoint.ifname=wan0 --mac-address 02:00:00:00:00:05 n2 box
  [[ $(h1 berth exec box ip -br link show wan0) == *02:00:00:00:00:05* ]]
}

@test "a link-local IPv6 address on a network without IPv6" {
  has_ipv6
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth run -d --name box --network n1 --link-local-ip fe80::77 -- sleep 1000
  [[ $(h1 berth exec box ip -6 -br addr show eth0) == *fe80::77/64* ]]
}

@test "TestAPINetworkFilter, TestDockerNetworkLsFilter, podman network list --filter" {
  h1 berth network create --label tier=db --subnet 10.1.0.0/24 one
  h1 berth network create --label tier=web two
  h1 berth network create --config-only three
  h1 berth run -d --name box --network two -- sleep 1000
  listed() { h1 berth network ls --format '{{.Name}}' "$@" | paste -sd,; }
  [ "$(listed --filter type=custom)" = one,three,two ]
  [ "$(listed --filter type=builtin)" = bridge,host,none ]
  [ "$(listed --filter driver=bridge)" = bridge,one,two ]
  [ "$(listed --filter driver=null)" = none,three ]
  [ "$(listed --filter driver=null --filter driver=host)" = host,none,three ]
  [ "$(listed --filter label=tier)" = one,two ]
  [ "$(listed --filter label=tier=db)" = one ]
  [ "$(listed --filter name=o)" = host,none,one,two ]
  [ "$(listed --filter 'name=^o' --filter 'name=^.wo$')" = one,two ]
  run h1 berth network ls --filter 'name=['
  [ "$status" -eq 1 ]
  [[ $output == *"--filter name=[: the value is no regular expression"* ]]
  [ "$(h1 berth network ls --filter type=custom --format '{{with .Label "tier"}}{{. | upper}}{{end}}' | paste -sd,)" = DB,,WEB ]
  [ "$(h1 berth ps -q --filter 'name=^/box$')" = "$(h1 berth ps -q --filter name=box)" ]
  [ -z "$(h1 berth ps -q --filter 'name=^bo$')" ]
  [ "$(listed --filter scope=swarm)" = "" ]
  [ "$(listed --filter dangling=true)" = one,three ]
  [ "$(listed --filter dangling=false --filter type=custom)" = two ]
  [ "$(listed --filter id="$(h1 berth network inspect -f '{{.Id}}' one)")" = one ]
}

@test "inspect tells how a sandbox was started, whatever became of it" {
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth network create --subnet 10.2.0.0/24 n2
  h1 berth run -d --name box --network n1 -p 8080:80 -- sleep 1000
  started() {
    h1 berth inspect -f '{{.HostConfig.NetworkMode}} {{json .HostConfig.PortBindings}}' box
  }
  local before
  before=$(started)
  [[ $before == 'n1 {"80/tcp":[{"HostIp":"","HostPort":"8080"}]}' ]]
  h1 berth network connect n2 box
  h1 berth network disconnect n1 box
  [ "$(started)" = "$before" ]
  h1 berth network disconnect n2 box
  [ "$(started)" = "$before" ]
  h1 berth stop -t 0 box
  [ "$(started)" = "$before" ]
  [ "$(h1 berth inspect -f '{{json .NetworkSettings.Ports}}' box)" = "{}" ]
}

@test "podman network prune --filter: what nobody uses goes, after a question" {
  h1 berth network create --label keep --subnet 10.1.0.0/24 kept
  h1 berth network create used
  h1 berth network create idle
  h1 berth network create --config-only template
  h1 berth run -d --name box --network used -- sleep 1000
  run ! h1 sh -c 'echo n | berth network prune'
  [[ $output == "WARNING! This will remove all custom networks"*"[y/N]"* ]]
  run h1 berth network prune -f --filter until=1h
  [ -z "$output" ]
  run h1 berth network prune --dry-run --filter 'label!=keep'
  [[ $output == *"ip link del br-"* ]]
  run h1 sh -c 'echo y | berth network prune --filter "label!=keep"'
  [[ $output == *"Deleted Networks:"$'\n'"idle"* ]]
  [ "$(h1 berth network prune -f)" = $'Deleted Networks:\nkept' ]
  [ "$(h1 berth network ls --format '{{.Name}}' --filter type=custom | paste -sd,)" = template,used ]
}

@test "update changes labels of a network in use" {
  h1 berth network create --label old=1 --label stay=1 --subnet 10.1.0.0/24 n1
  h1 berth run -d --name box --network n1 -- sleep 1000
  h1 berth network update --label-rm old --label-add stay=2 --label-add new n1
  [ "$(h1 berth network inspect -f '{{json .Labels}}' n1)" = '{"new":"","stay":"2"}' ]
  [[ $(default4 box) == *"via 10.1.0.1"* ]]
}

@test "inspect --verbose counts addresses of each subnet" {
  h1 berth network create --subnet 10.1.0.0/24 --ip-range 10.1.0.128/25 --aux-address router=10.1.0.9 n1
  h1 berth run -d --name one --network n1 -- sleep 1000
  h1 berth run -d --name two --network n1:ip=10.1.0.5 -- sleep 1000
  # Two of endpoints; network, broadcast, gateway and router. One endpoint is outside the range of 127.
  run h1 berth network inspect -v -f '{{json .Status.IPAM.Subnets}}' n1
  [ "$output" = '{"10.1.0.0/24":{"IPsInUse":6,"DynamicIPsAvailable":126}}' ]
  [ "$(h1 berth network inspect n1 | jq '.[0] | has("Status")')" = false ]
  h1 berth sandbox create three
  h1 berth attach three 10.1.0.50/24 10.1.0.150/24 --network n1
  run h1 berth network inspect -v -f '{{json .Status.IPAM.Subnets}}' n1
  [ "$output" = '{"10.1.0.0/24":{"IPsInUse":8,"DynamicIPsAvailable":125}}' ]
  h1 berth sandbox rm three

  has_ipv6
  h1 berth network create --ipv4=false --subnet fd07::/48 big
  run h1 berth network inspect -v -f '{{json .Status.IPAM.Subnets}}' big
  [ "$output" = '{"fd07::/48":{"IPsInUse":2,"DynamicIPsAvailable":18446744073709551615}}' ]
}

@test "templates: never made, copied from, and kept while in use" {
  snapshot >"$BATS_TEST_TMPDIR/before"
  h1 berth network create --config-only --subnet 10.1.0.0/24 --gateway 10.1.0.99 --aux-address r=10.1.0.9 \
    --label from=template -o com.docker.network.driver.mtu=1400 --route 10.8.0.0/16,10.1.0.9 template
  diff "$BATS_TEST_TMPDIR/before" <(snapshot)
  [ "$(h1 berth network inspect -f '{{.Driver}} {{.ConfigOnly}}' template)" = "null true" ]

  # Its subnet is free for others, and reconcile makes nothing of it.
  h1 berth network create --config-from template --internal real
  [ -z "$(h1 berth system reconcile)" ]
  run h1 berth network inspect -f '{{.Driver}} {{.ConfigFrom.Network}} {{.Internal}} {{json .Labels}} {{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}' real
  [ "$output" = 'bridge template true {"from":"template"} 10.1.0.0/24 10.1.0.99' ]
  h1 berth run -d --name box --network real -- sleep 1000
  [[ $(h1 berth exec box ip link show eth0) == *"mtu 1400"* ]]
  [[ $(h1 berth exec box ip route) == *"10.8.0.0/16 via 10.1.0.9"* ]]
  h1 berth rm -f box

  run ! h1 berth network rm template
  [[ $output == *real* ]]
  h1 berth network rm real template
  diff "$BATS_TEST_TMPDIR/before" <(snapshot)
}

@test "podman network create same name - succeed with ignore, podman network exists" {
  run -1 h1 berth network exists n1
  [ -z "$output" ]
  h1 berth network create --subnet 10.1.0.0/24 n1
  h1 berth network exists n1
  snapshot >"$BATS_TEST_TMPDIR/before"
  run h1 berth network create --ignore --subnet 10.2.0.0/24 n1
  [ "$output" = "$(h1 berth network inspect -f '{{.Id}}' n1)" ]
  diff "$BATS_TEST_TMPDIR/before" <(snapshot)
}
