#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# run --network host, none, container:NAME and ns:PATH: what is shared, what is refused, and ends.

load helpers

setup_file() {
  lab_up 1
  h1 berth network create --subnet 10.1.0.0/24 net
}
teardown_file() { lab_down; }
teardown() {
  local left
  left=$(h1 berth ps -aq)
  [ -z "$left" ] || h1 berth rm -f $left >/dev/null
}

# The network namespace of a sandbox's process, and of the host.
netns_of() { readlink "/proc/$(inspect "$1" '.[0].State.Pid')/ns/net"; }
host_netns() { h1 readlink /proc/self/ns/net; }

refused() { # words that the refusal must have, then the arguments of run
  local said=$1
  shift
  run h1 berth run -d --name no "$@" sleep 1000
  echo "$output"
  [ "$status" -eq 125 ]
  [[ $output == *"$said"* ]]
  [ -z "$(h1 berth ps -aq --filter name=no)" ]
}

@test "TestNetHostnameWithNetHost: the host's namespace, name, hosts file and resolv.conf" {
  h1 berth run -d --name s1 --network host sleep 1000
  [ "$(netns_of s1)" = "$(host_netns)" ]
  [ "$(h1 berth exec s1 hostname)" = "$(hostname)" ]
  diff <(h1 berth exec s1 cat /etc/hosts) /etc/hosts
  diff <(h1 berth exec s1 cat /etc/resolv.conf) /etc/resolv.conf
  [ "$(inspect s1 '.[0].HostConfig.NetworkMode')" = host ]
  [ "$(inspect s1 '.[0].NetworkSettings.Networks | keys[]')" = host ]
  [[ $(inspect s1 '.[0].NetworkSettings.SandboxKey') == /proc/*/ns/net ]]
  [ "$(h1 berth ps --format '{{.Networks}}')" = host ]
  h1 berth rm -f s1
  h1 berth run --rm --network host --hostname box --add-host db:10.9.9.9 --add-host me:host-gateway \
    --dns 9.9.9.9 --dns-search . sh -c 'hostname; cat /etc/hosts /etc/resolv.conf' >"$BATS_TEST_TMPDIR/out"
  [ "$(head -1 "$BATS_TEST_TMPDIR/out")" = box ]
  grep -q $'^10.9.9.9\tdb$' "$BATS_TEST_TMPDIR/out"
  grep -q $'^127.0.0.1\tme$' "$BATS_TEST_TMPDIR/out"
  [ "$(grep ^nameserver "$BATS_TEST_TMPDIR/out")" = "nameserver 9.9.9.9" ]
  ! grep -q ^search "$BATS_TEST_TMPDIR/out"
}

@test "TestConflictNetworkModeNetHostAndOptions, TestConflictContainerNetworkHostAndLinks: what host refuses" {
  refused "conflicting options: -p and --network host" --network host -p 80:80
  refused "conflicting options: --mac-address and --network host" --network host --mac-address 02:00:00:00:00:01
  refused "conflicting options: --ip and --network host" --network host --ip 10.1.0.9
  refused "conflicting options: --network-alias and --network host" --network host --network-alias a
  h1 berth run -d --name other --network net sleep 1000
  refused "conflicting options: --link and --network host" --network host --link other
  h1 berth run -d --name s1 --network host sleep 1000
  run h1 berth network connect net s1
  [ "$status" -eq 1 ]
  [[ $output == *"shares its network namespace with another one or the host cannot be connected to any other"* ]]
  run h1 berth network disconnect host s1
  [ "$status" -eq 1 ]
  [[ $output == *"cannot be connected to network host or disconnected from it"* ]]
  run h1 berth network connect host other
  [ "$status" -eq 1 ]
}

@test "none: lo alone, and nothing to connect; what is attached comes and goes" {
  h1 berth run -d --name s1 --network none sleep 1000
  [ "$(netns_of s1)" != "$(host_netns)" ]
  [ "$(h1 berth exec s1 ls /sys/class/net)" = lo ]
  h1 berth exec s1 ip link show lo | grep -q LOOPBACK,UP
  [ "$(inspect s1 '.[0].HostConfig.NetworkMode')" = none ]
  run h1 berth network connect net s1
  [ "$status" -eq 1 ]
  [[ $output == *"--network none"*"private"* ]]
  refused "conflicting options: -p and --network none" --network none -p 80:80
  h1 berth attach s1 10.1.0.77/24 --network net
  h1 berth exec s1 ip -4 addr show eth0 | grep -q 10.1.0.77/24
  h1 berth detach s1
  [ "$(h1 berth exec s1 ls /sys/class/net)" = lo ]
}

@test "container: one namespace, hosts file, host name, resolv.conf and ports; localhost between two" {
  h1 berth run -d --name web --hostname pod --domainname example.org --dns 9.9.9.9 --network net -p 8080:80 sleep 1000
  h1 berth run -d --name app --network container:web sleep 1000
  [ "$(netns_of app)" = "$(netns_of web)" ]
  [ "$(h1 berth exec app hostname)" = pod ]
  for file in hosts hostname resolv.conf; do
    diff <(h1 berth exec app cat /etc/$file) <(h1 berth exec web cat /etc/$file)
  done
  h1 berth exec app grep -q $'^10.1.0.2\tpod.example.org pod$' /etc/hosts
  serve app 80
  [ "$(h1 berth exec web curl -s http://127.0.0.1/)" = "hello from app" ]
  [ "$(fetch h1 "http://$(address_of h1):8080/")" = "hello from app" ]
  [ "$(inspect app '.[0].HostConfig.NetworkMode')" = "container:$(inspect web '.[0].Id')" ]
  [ "$(inspect app '.[0].HostsPath')" = "$(inspect web '.[0].HostsPath')" ]
  [ "$(inspect app '.[0].NetworkSettings.Networks')" = "{}" ]
  [[ $(inspect app '.[0].NetworkSettings.SandboxKey') == /proc/*/ns/net ]]
  [[ $(h1 berth ps --filter name=app --format '{{.Networks}}') == container:* ]]
  # What changes in the owner is there for both.
  h1 berth network create --subnet 10.2.0.0/24 second
  run h1 berth network connect second app
  [ "$status" -eq 1 ]
  [[ $output == *"app runs with --network container:web: "* ]]
  h1 berth network connect second web
  h1 berth exec app ip -4 -o addr show eth1 | grep -q 10.2.0.2
  h1 berth exec app grep -q $'^10.2.0.2\t' /etc/hosts
  h1 berth rm -f app web
  h1 berth network rm second
}

@test "container: by a short id, of a sharer, of a sandbox without a process, of one in host mode" {
  h1 berth sandbox create pod
  h1 berth network connect net pod
  local id
  id=$(inspect pod '.[0].Id')
  h1 berth run -d --name aa --network "container:${id:0:8}" sleep 1000
  h1 berth run -d --name bb --network container:aa sleep 1000
  [ "$(netns_of aa)" = "$(netns_of bb)" ]
  [ "$(inspect bb '.[0].HostConfig.NetworkMode')" = "container:$id" ]
  diff <(h1 berth exec bb cat /etc/hosts) "$(inspect pod '.[0].HostsPath')"
  h1 berth exec bb ip -4 -o addr show eth0 | grep -q 10.1.0.2
  # netns: and pid: of a sharer mean the owner.
  h1 berth network create --subnet 10.2.0.0/24 second
  h1 berth network connect second "pid:$(inspect aa '.[0].State.Pid')"
  [ "$(inspect pod '.[0].NetworkSettings.Networks | keys | join(",")')" = net,second ]
  h1 berth rm -f pod aa bb
  h1 berth network rm second
  h1 berth run -d --name hh --network host sleep 1000
  h1 berth run -d --name aa --network container:hh sleep 1000
  [ "$(netns_of aa)" = "$(host_netns)" ]
  diff <(h1 berth exec aa cat /etc/hosts) /etc/hosts
}

@test "TestConflictContainerNetworkAndLinks, TestConflictNetworkModeAndOptions: what container: refuses" {
  h1 berth run -d --name web --network net sleep 1000
  for option in "-p 80:80" "--ip 10.1.0.9" "--mac-address 02:00:00:00:00:01" "--network-alias a" \
    "--link web" "--hostname h" "--domainname d" "--dns 9.9.9.9" "--dns-search d" "--dns-opt ndots:2" \
    "--add-host a:1.2.3.4"; do
    refused "conflicting options: ${option% *} and --network container:web" --network container:web $option
  done
  refused "no such sandbox: nobody" --network container:nobody
  refused "container:NAME" --network container:
  h1 berth stop -t 0 web
  refused "web: it is not running" --network container:web
  h1 berth run -d --name app --network net sleep 1000
  h1 berth run -d --name s1 --network container:app sleep 1000
  run h1 berth network connect net s1
  [ "$status" -eq 1 ]
  [[ $output == *"shares its network namespace"* ]]
}

@test "container: an owner is not stopped or removed under its sharers" {
  h1 berth run -d --name web --network net sleep 1000
  h1 berth run -d --name aa --network container:web sleep 1000
  h1 berth run -d --name bb --network container:web sleep 1000
  for verb in "stop -t 0" "rm -f" "stop --dry-run" "rm -f --dry-run"; do
    run h1 berth $verb web
    [ "$status" -eq 1 ]
    [[ $output == *"shares its network namespace with"*aa*bb* || $output == *"shares its network namespace with"*bb*aa* ]]
  done
  run h1 berth rm -f web aa
  [ "$status" -eq 1 ]
  [[ $output == *"namespace with bb: rm them first"* ]]
  [ "$(h1 berth ps --format '{{.Names}}' | sort | xargs)" = "bb web" ]
  run h1 berth rm -f web bb
  [ "$status" -eq 0 ]
  [ -z "$(h1 berth ps -aq)" ]
  # A namespace without a process is kept as well.
  h1 berth sandbox create pod
  h1 berth run -d --name aa --network container:pod sleep 1000
  run h1 berth rm -f pod
  [ "$status" -eq 1 ]
  h1 berth stop -t 0 aa
  h1 berth rm pod
}

@test "container: a sharer that outlives its owner keeps nothing of it" {
  h1 berth run -d --name web --network net -p 8080:80 sleep 1000
  h1 berth run -d --name aa --network container:web sleep 1000
  local pid address
  pid=$(inspect web '.[0].State.Pid')
  address=$(inspect web '.[0].NetworkSettings.Networks.net.IPAddress')
  kill -9 "$pid"
  for _ in $(seq 100); do
    [ "$(inspect web '.[0].State.Status')" = running ] || break
    sleep 0.05
  done
  [ "$(inspect web '.[0].State.ExitCode')" = 137 ]
  [ "$(inspect aa '.[0].State.Status')" = running ]
  [ "$(h1 berth exec aa ls /sys/class/net)" = lo ]
  run h1 berth exec aa cat /etc/hosts
  [[ $output == *localhost* && $output != *"$address"* ]]
  h1 berth run -d --name next --network net --ip "$address" -p 8080:80 sleep 1000
  refused "web: it is not running" --network container:web
  refused "is not running" --network container:aa
  h1 berth rm web
  [ "$(inspect aa '.[0].State.Status')" = running ]
  run h1 berth system reconcile
  [ "$status" -eq 0 ]
}

@test "container: what a killed helper leaves is collected" {
  h1 berth run -d --name web --network net sleep 1000
  h1 berth run -d --rm --name aa --network container:web sleep 1000
  local shim
  shim=$(awk '/^PPid/ {print $2}' "/proc/$(inspect aa '.[0].State.Pid')/status")
  kill -9 "$shim"
  for _ in $(seq 100); do
    [ -n "$(h1 berth ps -aq --filter name=aa)" ] || break
    sleep 0.05
  done
  [ -z "$(h1 berth ps -aq --filter name=aa)" ]
  h1 berth exec web ip -4 -o addr show eth0 | grep -q 10.1.0
  h1 berth stop -t 0 web
}

@test "podman do not tamper with joined network ns interfaces: ns:PATH stays as it is" {
  ip netns add theirs
  ip -n theirs link set lo up
  ip -n theirs link add dev v0 type veth peer name v1
  local before
  before=$(ip -n theirs -o addr)
  h1 berth run -d --name s1 --network ns:/run/netns/theirs --hostname box sleep 1000
  [ "$(h1 berth exec s1 ls /sys/class/net | xargs)" = "lo v0 v1" ]
  [ "$(h1 berth exec s1 hostname)" = box ]
  h1 berth exec s1 grep -q localhost /etc/hosts
  [ "$(inspect s1 '.[0].HostConfig.NetworkMode')" = ns:/run/netns/theirs ]
  [ "$(inspect s1 '.[0].NetworkSettings.SandboxKey')" = /run/netns/theirs ]
  [ "$(h1 berth ps --format '{{.Networks}}')" = ns:/run/netns/theirs ]
  h1 berth run -d --name tt --network container:s1 sleep 1000
  [ "$(netns_of s1)" = "$(netns_of tt)" ]
  # It can be connected as what it is, and no sandbox of berth's.
  h1 berth network connect net netns:/run/netns/theirs
  h1 berth exec s1 ip -4 -o addr show eth0 | grep -q 10.1.0
  h1 berth network disconnect net netns:/run/netns/theirs
  run h1 berth network connect net s1
  [ "$status" -eq 1 ]
  h1 berth rm -f s1 tt
  [ "$(ip -n theirs -o addr)" = "$before" ]
  ip netns del theirs
}

@test "ns: refusals" {
  refused "/no/such" --network ns:/no/such
  refused "absolute path" --network ns:theirs
  refused "/etc/passwd" --network ns:/etc/passwd
  refused "give --network host" --network ns:/proc/self/ns/net
  h1 berth run -d --name web --network net sleep 1000
  refused "give --network container:web" --network "ns:/proc/$(inspect web '.[0].State.Pid')/ns/net"
  ip netns add theirs
  refused "conflicting options: -p and --network ns:/run/netns/theirs" --network ns:/run/netns/theirs -p 80:80
  ip netns del theirs
}

@test "plan: nsenter into what is shared, and nothing for the host" {
  h1 berth sandbox create pod
  run h1 berth plan run --network container:pod sleep 1
  [ "$status" -eq 0 ]
  [[ $output == "nsenter --net=$BERTH_RUN/t/h1/"*" unshare --mount "*"sleep 1" || $output == "nsenter --net="*/netns/*" unshare --mount "*"sleep 1" ]]
  run h1 berth plan run --network host sleep 1
  [[ $output == "unshare --mount "*"sleep 1" ]]
  ip netns add theirs
  run h1 berth plan run --network ns:/run/netns/theirs sleep 1
  [[ $output == "nsenter --net=/run/netns/theirs unshare --mount "*"sleep 1" ]]
  ip netns del theirs
}

@test "system reset ends owners and sharers alike" {
  h1 berth run -d --name web --network net sleep 1000
  h1 berth run -d --name aa --network container:web sleep 1000
  h1 berth run -d --name bb --network host sleep 1000
  h1 berth sandbox create pod
  h1 berth run -d --name cc --network container:pod sleep 1000
  h1 berth system reset -f
  [ -z "$(h1 berth ps -aq)" ]
  [ "$(h1 ip -o link | grep -c veth)" -le 1 ] # the lab's own eth0
  h1 berth network create --subnet 10.1.0.0/24 net
}
