#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Docker's own tests of its networks (moby, integration/networking), by their names: who reaches whom, on which
# port, in both families. Host h1 has networks of every gateway mode; h2 is on its segment and routes to them by it.

load helpers

GATEWAY_MODE=com.docker.network.bridge.gateway_mode

setup_file() {
  lab_up 2
  h1 ip addr add fd00:99::1/64 dev eth0 nodad
  h2 ip addr add fd00:99::2/64 dev eth0 nodad
  h2 ip route replace default via "$(address_of h1)"
  h2 ip -6 route add default via fd00:99::1
  network() { # name number options...: dual stack, 10.NUMBER.0.0/24 and fd0NUMBER::/64
    local name=$1 n=$2
    shift 2
    h1 berth network create --subnet "10.$n.0.0/24" --subnet "fd0$n::/64" "$@" "$name"
  }
  modes() { echo -o ${GATEWAY_MODE}_ipv4="$1" -o ${GATEWAY_MODE}_ipv6="$1"; }
  network nat 1
  network routed 2 $(modes routed)
  network open 3 $(modes nat-unprotected)
  network other 4
  network inner 5 --internal
  network inner2 6 --internal
  network trusting 7 -o com.docker.network.bridge.trusted_host_interfaces=eth0
  # Each serves on 80 and 81 and publishes 80; its address ends with 2.
  for i in nat:8080 routed:8081 open:8082 trusting:8087; do
    h1 berth run -d --name "c-${i%:*}" --network "${i%:*}" -p "${i#*:}:80" -- sleep 1000
    serve "c-${i%:*}" 80
    serve "c-${i%:*}" 81
  done
  for i in nat:peer other:client inner:db inner:db2 inner2:db3; do
    h1 berth run -d --name "${i#*:}" --network "${i%:*}" -- sleep 1000
  done
}
teardown_file() { lab_down; }

# One try: of a page if $2 is a URL, else of a ping. $1 is a host of the lab or a container.
tries() {
  local at=(h1 berth exec "$1" --)
  [[ $1 == h? ]] && at=("$1")
  case $2 in
    http:*) "${at[@]}" curl -sg -o /dev/null -m 1 "$2" ;;
    *) "${at[@]}" ping -c 1 -W 1 "$2" ;;
  esac >/dev/null 2>&1
}
# Lines of "who what yes|no" on standard input, all tried at once: what does not work takes its second.
reaches() {
  local who what want n=0
  rm -f "$BATS_TEST_TMPDIR"/try.*
  while read -r who what want; do
    n=$((n + 1))
    {
      tries "$who" "$what" && got=yes || got=no
      [ $got = "$want" ] || echo "$who $what: $got instead of $want"
    } >"$BATS_TEST_TMPDIR/try.$n" 3>&- &
  done
  wait
  [ "$n" -gt 0 ]
  run cat "$BATS_TEST_TMPDIR"/try.*
  echo "$output"
  [ -z "$output" ]
}

@test "TestBridgeICC: normal and internal, IPv4, ULA, link-local subnets and the kernel's own address" {
  reaches <<'END'
peer 10.1.0.2 yes
peer fd01::2 yes
db2 10.5.0.2 yes
db2 fd05::2 yes
END
  local name subnet zone
  while read -r name subnet; do
    h1 berth network create --ipv6 --subnet "$subnet" "$name"
    h1 berth run -d --name one --network "$name" -- sleep 1000
    h1 berth run -d --name two --network "$name" --mac-address 02:42:ac:11:00:02 -- sleep 1000
    [[ $subnet == fe80* ]] && zone=%eth0 || zone=
    reaches <<END
one $(inspect two ".[0].NetworkSettings.Networks.$name.GlobalIPv6Address")$zone yes
one fe80::42:acff:fe11:2%eth0 yes
one $(inspect two ".[0].NetworkSettings.Networks.$name.IPAddress") yes
END
    h1 berth rm -f one two
    h1 berth network rm "$name"
  done <<'END'
local6 fe80::/64
local6b fe80:1234::/64
ula fdf1:a844:380c:b247::/64
END
}

@test "TestBridgeINC: two bridges do not reach each other, internal or not" {
  reaches <<'END'
client 10.1.0.2 no
client fd01::2 no
db3 10.5.0.2 no
db3 fd05::2 no
END
  run h1 berth exec db3 -- ping -c 1 -W 1 10.5.0.2
  [[ $output == *unreachable* ]]
}

@test "TestBridgeINCRouted: nat reaches routed on open ports and by ping, routed does not reach nat" {
  reaches <<'END'
c-nat 10.2.0.2 yes
c-nat fd02::2 yes
c-nat http://10.2.0.2:80 yes
c-nat http://[fd02::2]:80 yes
c-nat http://10.2.0.2:81 no
c-nat http://[fd02::2]:81 no
c-routed 10.1.0.2 no
c-routed fd01::2 no
c-routed http://10.1.0.2:80 no
c-routed http://[fd01::2]:80 no
c-routed http://10.1.0.2:81 no
c-routed http://[fd01::2]:81 no
END
}

@test "TestAccessToPublishedPort, FromAnotherNetwork: by the host's and any bridge's address, from nat and routed" {
  reaches <<END
client http://$(address_of h1):8080 yes
client http://[fd00:99::1]:8080 yes
client http://10.4.0.1:8080 yes
client http://[fd04::1]:8080 yes
client http://10.1.0.1:8080 yes
client http://[fd01::1]:8080 yes
c-routed http://$(address_of h1):8080 yes
c-routed http://[fd00:99::1]:8080 yes
c-routed http://10.2.0.1:8080 yes
c-routed http://[fd02::1]:8080 yes
END
}

@test "TestAccessPublishedPortFromHost, FromRemoteHost, FromCtr: every address but a link-local one, both families" {
  reaches <<END
h1 http://127.0.0.1:8080 yes
h1 http://[::1]:8080 yes
h1 http://$(address_of h1):8080 yes
h1 http://[fd00:99::1]:8080 yes
h1 http://10.1.0.1:8080 yes
h1 http://[fd01::1]:8080 yes
h2 http://$(address_of h1):8080 yes
h2 http://[fd00:99::1]:8080 yes
c-nat http://$(address_of h1):8080 yes
c-nat http://[fd00:99::1]:8080 yes
peer http://$(address_of h1):8080 yes
peer http://[fd00:99::1]:8080 yes
END
}

@test "TestInterNetworkDirectRouting: containers' own addresses, by the server's gateway mode" {
  reaches <<'END'
client http://10.1.0.2:80 no
client http://[fd01::2]:80 no
client http://10.1.0.2:81 no
client http://[fd01::2]:81 no
client http://10.2.0.2:80 yes
client http://[fd02::2]:80 yes
client http://10.2.0.2:81 no
client http://[fd02::2]:81 no
client http://10.3.0.2:80 yes
client http://[fd03::2]:80 yes
client http://10.3.0.2:81 yes
client http://[fd03::2]:81 yes
END
}

@test "TestDirectRoutingOpenPorts, TestDirectRemoteAccessOnExposedPort: from another host, by the gateway mode" {
  reaches <<'END'
h2 10.1.0.2 no
h2 fd01::2 no
h2 http://10.1.0.2:80 no
h2 http://[fd01::2]:80 no
h2 http://10.1.0.2:81 no
h2 http://[fd01::2]:81 no
h2 10.2.0.2 yes
h2 fd02::2 yes
h2 http://10.2.0.2:80 yes
h2 http://[fd02::2]:80 yes
h2 http://10.2.0.2:81 no
h2 http://[fd02::2]:81 no
h2 10.3.0.2 yes
h2 fd03::2 yes
h2 http://10.3.0.2:80 yes
h2 http://[fd03::2]:80 yes
h2 http://10.3.0.2:81 yes
h2 http://[fd03::2]:81 yes
END
}

@test "TestAllowDirectRemoteAccessOnExposedPort: trusted interfaces reach published ports, and no others" {
  reaches <<'END'
h2 http://10.7.0.2:80 yes
h2 http://[fd07::2]:80 yes
h2 http://10.7.0.2:81 no
h2 http://[fd07::2]:81 no
client http://10.7.0.2:80 no
client http://[fd07::2]:80 no
END
}

@test "TestRoutedNonGateway: a routed network's port is open though another network is the way out" {
  h1 berth run -d --name two-ways --network nat:gw-priority=1,ip=10.1.0.77,ip6=fd01::77 \
    --network routed:ip=10.2.0.77,ip6=fd02::77 -p 8090:80 -- sleep 1000
  serve two-ways 80
  reaches <<END
h2 http://$(address_of h1):8090 yes
h2 http://[fd00:99::1]:8090 yes
h2 http://10.1.0.77:80 no
h2 http://[fd01::77]:80 no
h2 http://10.2.0.77:80 yes
h2 http://[fd02::77]:80 yes
END
  h1 berth rm -f two-ways
}

@test "TestInternalNwConnectivity: the bridge's addresses, and nothing outside" {
  reaches <<'END'
db 10.5.0.1 yes
db fd05::1 yes
db 198.51.100.1 no
db fd00:99::2 no
END
  run h1 berth exec db -- ping -c 1 -W 1 198.51.100.1
  [[ $output == *unreachable* ]]
}

@test "TestDisableNAT: the ports that inspect shows, by family and gateway mode" {
  ports() { inspect "$1" '.[0].NetworkSettings.Ports["80/tcp"] | map(.HostIp + " " + .HostPort) | sort | join(", ")'; }
  [ "$(ports c-nat)" = "0.0.0.0 8080, :: 8080" ]
  h1 berth network create --subnet 10.8.0.0/24 --subnet fd08::/64 -o ${GATEWAY_MODE}_ipv6=routed half
  h1 berth run -d --name half --network half -p 8083:80 -- sleep 1000
  [ "$(ports half)" = "0.0.0.0 8083, :: " ]
  h1 berth rm -f half
  h1 berth network rm half
  h1 berth network create --subnet 10.8.0.0/24 --subnet fd08::/64 -o ${GATEWAY_MODE}_ipv4=routed half
  h1 berth run -d --name half --network half -p 8083:80 -- sleep 1000
  [ "$(ports half)" = "0.0.0.0 , :: 8083" ]
  h1 berth rm -f half
  h1 berth network rm half
}

@test "TestPortMappedHairpinUDP: the answer comes from the address that was asked" {
  h1 berth run -d --name echo --network nat -p 5300:53/udp -- ncat -u -l -k 53 -e /bin/cat
  # A connected socket takes answers from the address it sent to, and from no other.
  ask() { # who address
    h1 berth exec "$1" -- bash -c "exec 5<>/dev/udp/$2/5300 && for _ in {1..25}; do
      echo hello >&5; timeout 1 head -c 5 <&5 | grep hello && break; sleep 0.2; done" # refused until ncat is there
  }
  [ "$(ask client "$(address_of h1)")" = hello ]
  [ "$(ask peer "$(address_of h1)")" = hello ]
  [ "$(ask client fd00:99::1)" = hello ]
  h1 berth rm -f echo
}

@test "TestMixAnyWithSpecificHostAddrs: one free number each, the same on both families" {
  local protocol numbers
  for protocol in tcp udp; do
    h1 berth run -d --name mix --network nat -p 81/$protocol -p 82/$protocol -p 127.0.0.1::80/$protocol -- sleep 1000
    numbers=$(h1 berth port mix | sed -E 's/ -> .*:/ /' | sort -u)
    [ "$(wc -l <<<"$numbers")" = 3 ]
    [ "$(awk '{print $2}' <<<"$numbers" | sort -u | wc -l)" = 3 ]
    h1 berth rm -f mix
  done
}

@test "TestPortMappingOnDistinctLoopbackAddrs: one number on two addresses leads to two containers" {
  for i in 2 3; do
    h1 berth run -d --name "on-$i" --network nat -p "127.0.1.$i:1716:80" -- sleep 1000
    serve "on-$i" 80
  done
  [ "$(fetch h1 http://127.0.1.2:1716)" = "hello from on-2" ]
  [ "$(fetch h1 http://127.0.1.3:1716)" = "hello from on-3" ]
  h1 berth rm -f on-2 on-3
}

# The addresses that a container's port 80 is published on, and where on IPv6 it leads to.
ports_of() {
  h1 berth port "$1" 80/tcp | sed -E 's/:[0-9]+$//' | sort | paste -sd' '
}
to6() { h1 nft list map inet berth publish6 | grep "$1 " | sed -E 's/.* : ([^ ]+) \. .*/\1/'; }

@test "TestGatewaySelection, TestAllPortMappingsAreReturned: ports of each family go by its own gateway" {
  h1 berth network create --subnet 10.8.0.0/24 four
  h1 berth network create --ipv4=false --subnet fd08::/64 six
  h1 berth network create --subnet 10.9.0.0/24 --subnet fd09::/64 dual
  local target
  h1 berth run -d --name web --network four -p 8095:80 -- sleep 1000
  serve web 80
  both() { reaches <<<"h2 http://$(address_of h1):8095 yes
h2 http://[fd00:99::1]:8095 yes
h1 http://[::1]:8095 yes"; }
  both
  target=$(to6 web)
  h1 berth network connect six web
  [ "$(to6 web)" = fd08::2 ]
  [ "$(ports_of web)" = "0.0.0.0 [::]" ]
  both
  h1 berth network disconnect six web
  [ "$(to6 web)" = "$target" ]
  both
  h1 berth network connect dual web
  [ "$(to6 web)" = fd09::2 ]
  both
  h1 berth network disconnect dual web
  [ "$(to6 web)" = "$target" ]
  both
  h1 berth rm -f web

  # Started on both, in either order; and on IPv6 alone, with IPv4 later.
  for networks in "four six" "six four"; do
    h1 berth run -d --name web --network "${networks% *}" --network "${networks#* }" -p 8095:80 -- sleep 1000
    serve web 80
    [ "$(ports_of web)" = "0.0.0.0 [::]" ]
    [ "$(to6 web)" = fd08::2 ]
    both
    h1 berth rm -f web
  done
  h1 berth run -d --name web --network six -p 8095:80 -- sleep 1000
  serve web 80
  [ "$(ports_of web)" = "[::]" ]
  h1 berth network connect four web
  [ "$(ports_of web)" = "0.0.0.0 [::]" ]
  [ "$(to6 web)" = fd08::2 ]
  both
  h1 berth network disconnect four web
  [ "$(ports_of web)" = "[::]" ]
  [ -z "$(h1 berth system reconcile)" ]
  h1 berth rm -f web
  h1 berth network rm four six dual
}
