#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Bad input: one sentence on stderr with what was given and what is allowed, exit code 1 (usage 2), and
# nothing changes.

load helpers

setup_file() {
  lab_up 1
  ip netns add blue
  h1 berth network create --subnet 10.1.0.0/29 small
  h1 berth run -d --name user --network small -- sleep 1000
}
teardown_file() {
  ip netns del blue
  lab_down
}

setup() { snapshot >"$BATS_TEST_TMPDIR/before"; }
teardown() { diff "$BATS_TEST_TMPDIR/before" <(snapshot); }

refused() { # status word... -- berth arguments: the error is one line that has the words
  local want=$1 words=()
  shift
  while [[ $1 != -- ]]; do words+=("$1") && shift; done
  shift
  run --separate-stderr h1 berth "$@"
  [ "$status" -eq "$want" ] || { echo "status $status: $stderr" && return 1; }
  [ -z "$output" ]
  [ "$(wc -l <<<"$stderr")" -le 2 ] || { echo "$stderr" && return 1; }
  for word in "${words[@]}"; do
    [[ $stderr == *"$word"* ]] || { echo "no '$word' in: $stderr" && return 1; }
  done
}

@test "bad subnets" {
  refused 1 10.7.0.0/33 -- network create --subnet 10.7.0.0/33 x
  refused 1 10.7.0.0 -- network create --subnet 10.7.0.0 x
  refused 1 10.7.0.5/24 10.7.0.0/24 -- network create --subnet 10.7.0.5/24 x
  refused 1 10.1.0.0/24 small -- network create --subnet 10.1.0.0/24 x
  refused 1 10.8.0.1 10.7.0.0/24 -- network create --subnet 10.7.0.0/24 --gateway 10.8.0.1 x
  refused 1 10.8.0.0/25 10.7.0.0/24 -- network create --subnet 10.7.0.0/24 --ip-range 10.8.0.0/25 x
  refused 1 10.8.0.9 10.7.0.0/24 -- network create --subnet 10.7.0.0/24 --aux-address a=10.8.0.9 x
}

@test "bad names, drivers and options" {
  refused 1 small -- network create small
  refused 1 'a b' -- network create 'a b'
  refused 1 nosuch bridge -- network create -d nosuch x
  refused 1 com.docker.network.bridge.nam com.docker.network.bridge.name -- \
    network create -o com.docker.network.bridge.nam=x x
  refused 1 averyveryverylong 15 -- network create -o com.docker.network.bridge.name=averyveryverylong x
  refused 1 eth0 -- network create -o com.docker.network.bridge.name=eth0 x
  refused 1 maybe -- network create -o com.docker.network.bridge.enable_icc=maybe x
}

@test "bad addresses" {
  refused 1 10.9.9.9 10.1.0.0/29 -- network connect --ip 10.9.9.9 small netns:/run/netns/blue
  refused 125 10.9.9.9 10.1.0.0/29 -- run --ip 10.9.9.9 --network small -- true
  refused 125 10.1.0.2 user -- run --ip 10.1.0.2 --network small -- true
  refused 125 10.1.0.1 gateway -- run --ip 10.1.0.1 --network small -- true
  refused 125 zz -- run --mac-address zz --network small -- true
}

@test "what needs a cluster or is another's to say" {
  refused 1 swarm -- network create --scope swarm x
  refused 1 swarm -- network create --ingress x
  refused 1 template --internal -- network create --config-only --internal x
  refused 1 small template -- network create --config-from small x
  refused 1 nosuch -- network create --config-from nosuch x
  refused 1 dns -- network update --dns-add 10.1.0.1 small
  refused 125 conflicting --ip -- run --ip 10.1.0.3 --network small:ip=10.1.0.4 -- true
  refused 125 small twice -- run --network small --network name=small -- true
}

@test "bad routes" {
  refused 1 10.8.0.1 10.8.0.0/16 -- network create --subnet 10.7.0.0/24 --route 10.8.0.1/16,10.7.0.9 x
  refused 1 10.9.0.1 10.7.0.0/24 -- network create --subnet 10.7.0.0/24 --route 10.8.0.0/16,10.9.0.1 x
  refused 1 families -- network create --subnet 10.7.0.0/24 --route 10.8.0.0/16,fd00::1 x
  refused 1 IPv6 -- network create --subnet 10.7.0.0/24 --route fd08::/32,blackhole x
  refused 1 no_default_route -- network create --subnet 10.7.0.0/24 --route 0.0.0.0/0,10.7.0.9 x
}

@test "bad options of a connection" {
  refused 1 nosuch com.docker.network.endpoint -- \
    network connect --driver-opt com.docker.network.endpoint.nosuch=1 small netns:/run/netns/blue
  refused 1 kernel.x IFNAME -- \
    network connect --driver-opt com.docker.network.endpoint.sysctls=kernel.x=1 small netns:/run/netns/blue
  refused 1 IFNAME.nosuch -- \
    network connect --driver-opt com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.nosuch small netns:/run/netns/blue
  refused 1 one two -- network connect --ifname one \
    --driver-opt com.docker.network.endpoint.ifname=two small netns:/run/netns/blue
  refused 1 lo -- network connect --ifname lo small netns:/run/netns/blue
}

@test "a full range" {
  for i in 1 2 3 4; do h1 berth run -d --name "full$i" --network small -- sleep 1000; done
  snapshot >"$BATS_TEST_TMPDIR/full"
  refused 125 small 10.1.0.0/29 -- run --network small -- true
  diff "$BATS_TEST_TMPDIR/full" <(snapshot)
  h1 berth rm -f full1 full2 full3 full4
}

@test "bad targets" {
  refused 1 /run/netns/nosuch -- network connect small netns:/run/netns/nosuch
  refused 1 999999 -- network connect small pid:999999
  refused 1 nosuch -- network connect small nosuch
  refused 1 host -- network connect small netns:/proc/self/ns/net
  refused 1 /etc/passwd -- network connect small netns:/etc/passwd
  refused 1 user -- network rm small
  refused 1 nosuch -- network rm nosuch
}

@test "netavark error - invalid host_ip in port mappings; bad ports" {
  for port in 0 70000 80:70000 a:80 80:81-82 1.2.3:80:80 80/icmp; do
    refused 125 "$port" -- run -p "$port" --network small -- true
  done
  refused 125 198.18.0.1 -- run -p 198.18.0.1:80:80 --network small -- true
}

@test "values that do not parse are refusals: exit code 1, and 125 of run and exec" {
  local bad
  while read -r bad; do
    # shellcheck disable=SC2086
    refused 1 -- $bad
  done <<'END'
network create --internal=maybe x
network create --subnet x x
network create --subnet 10.7.0.0/24 --gateway x x
network create --subnet 10.7.0.0/24 --ip-range x x
network create --subnet 10.7.0.0/24 --ip-range 10.7.0.9-10.7.0.5 x
network create --subnet 10.7.0.0/24 --ip-range 10.7.0.9-10.7.1.5 x
network create --aux-address a=x --subnet 10.7.0.0/24 x
network create --label =x x
network create --opt =x x
network create --ipv6=maybe x
network create --route x x
network create --scope x x
network create --ipam-driver x x
network create --ipv4=false x
network connect --ip6 x small netns:/run/netns/blue
network connect --link-local-ip 10.0.0.1 small netns:/run/netns/blue
network connect --gw-priority x small netns:/run/netns/blue
network connect --ifname a/b small netns:/run/netns/blue
network update small
network update --label-add =x small
network update --label-add a=b bridge
network prune --filter x
network prune --filter until=x
network ls --filter dangling=x
network connect --ip x small user
network connect --mac-address x small user
network connect -p x small user
network disconnect --force=maybe small user
network ls --filter x
network ls --filter type=x
network ls --format {{
network inspect -f {{ small
ps -n x
ps -n 0
ps --filter exited=x
ps --filter status=x
ps --format {{.Nope}}
inspect -f {{ user
logs -n x user
logs --since x user
stop -t x user
stop -s x user
rm --force=maybe user
port user x
port user 80/icmp
sandbox create @
lab up --hosts x x
lab up --hosts 0 x
lab up @
plan --format x network create x
plan --format x ps
network create --dry-run --format x x
system info -f {{
version --format {{
completion x
--default-address-pool x network ls
--default-address-pool base=10.0.0.0/8,size=99 network ls
--config /no/such network ls
END
  while read -r bad; do
    # shellcheck disable=SC2086
    refused 125 -- run $bad --network small -- true
  done <<'END'
--ip x
--ip6 x
--link-local-ip 10.0.0.1
--network small:ip=x
--network small:colour=red
--network name=
--network small:
--mac-address x
-p x
--name @
--hostname @
--add-host x
--add-host a:x
--label =x
--env =x
--workdir /no/such
--rootfs /no/such
--rootfs /etc/passwd
--dry-run --format x
--rm=maybe
END
  refused 125 nosuch -- exec -u nosuch user true
  refused 125 /no/such -- exec -w /no/such user true
  refused 125 -- exec -e =x user true
  refused 125 h1 -- lab exec h1 true
}

@test "usage errors: what is no flag, no verb, missing or too many: exit code 2, and 125 of run and exec" {
  local bad
  while read -r bad; do
    # shellcheck disable=SC2086
    refused 2 'see ' --help -- $bad
  done <<'END'
nosuch
--nosuch
network
network nosuch
network create
network create --nosuch x
network create --subnet
network create x y
network connect small
ps x
ps -n
rm
stop --nosuch user
plan nosuch
lab up
system reset x
END
  refused 125 -- run
  refused 125 -- run --nosuch true
  refused 125 -- run --name
  refused 125 -- exec user
  refused 125 -- exec --nosuch user true
}

@test "a missing capability is named" {
  run h1 setpriv --bounding-set=-net_admin --inh-caps=-net_admin berth network create nocap
  [ "$status" -eq 1 ]
  [[ $output == *CAP_NET_ADMIN* ]]
}
