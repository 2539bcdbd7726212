#!/usr/bin/env bats
# The four scenarios of the document that builds Docker's bridge by hand: two namespaces, a bridge, and
# who reaches whom. berth connects what `ip netns add` made.

load helpers

setup_file() {
  lab_up 2
  ip netns add Tdocker0
  ip netns add Tdocker1
  h1 berth network create --subnet 172.18.0.0/24 -o com.docker.network.bridge.name=Tbr0 T
  h1 berth network connect T netns:/run/netns/Tdocker0
  h1 berth network connect T netns:/run/netns/Tdocker1
}
teardown_file() {
  ip netns del Tdocker0
  ip netns del Tdocker1
  lab_down
}

@test "scenario 1: the containers reach each other" {
  ip netns exec Tdocker0 ping -c1 -W2 172.18.0.3
  ip netns exec Tdocker1 ping -c1 -W2 172.18.0.2
}

@test "scenario 2: the host reaches the containers" {
  h1 ping -c1 -W2 172.18.0.2
  h1 ping -c1 -W2 172.18.0.3
}

@test "scenario 3: the containers reach the outside, behind the host's address" {
  run ip netns exec Tdocker0 ip route
  [[ $output == *"default via 172.18.0.1"* ]]
  ip netns exec Tdocker0 ping -c1 -W2 198.51.100.1

  # The other host has no route to 172.18.0.0/24, so an answer shows the masquerade.
  ip netns exec Tdocker0 ping -c1 -W2 "$(address_of h2)"
}

@test "scenario 4: the outside reaches a published service" {
  h1 berth network disconnect T netns:/run/netns/Tdocker0
  h1 berth network connect -p 80:80 T netns:/run/netns/Tdocker0
  mkdir -p "$BATS_TEST_TMPDIR/www"
  echo served >"$BATS_TEST_TMPDIR/www/index.html"
  ip netns exec Tdocker0 busybox httpd -p 80 -h "$BATS_TEST_TMPDIR/www" 3>&-
  run fetch h2 "http://$(address_of h1)/"
  [ "$output" = served ]
  ip netns pids Tdocker0 | xargs kill
}

@test "afterwards nothing is left" {
  h1 berth network disconnect T netns:/run/netns/Tdocker0
  h1 berth network disconnect T netns:/run/netns/Tdocker1
  h1 berth network rm T
  run h1 ip -o link
  [[ $output != *Tbr0* && $output != *veth* ]]
  [ -z "$(h1 nft list ruleset)" ]
}
