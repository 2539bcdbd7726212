#!/usr/bin/env bats
# Who reaches a published port, and who does not: from other hosts, the host itself, other networks, the
# container itself and its neighbours; ports on 127.0.0.1; containers' own addresses; internal networks;
# enable_icc=false.

load helpers

setup_file() {
  lab_up 2
  h1 berth network create --subnet 10.1.0.0/24 front
  h1 berth network create --subnet 10.2.0.0/24 other
  h1 berth network create --subnet 10.3.0.0/24 --internal back
  h1 berth network create --subnet 10.4.0.0/24 \
    -o com.docker.network.bridge.enable_icc=false apart
  h1 berth run -d --name web --network front -p 8080:80 -p 127.0.0.1:9090:80 -- sleep 1000
  h1 berth run -d --name peer --network front -- sleep 1000
  h1 berth run -d --name stranger --network other -- sleep 1000
  h1 berth run -d --name db --network back -- sleep 1000
  h1 berth run -d --name db2 --network back -- sleep 1000
  h1 berth run -d --name aa --network apart -p 8081:80 -- sleep 1000
  h1 berth run -d --name bb --network apart -- sleep 1000
  serve web 80
  serve aa 80
  serve db 80
}
teardown_file() { lab_down; }

inside() { h1 berth exec "$1" -- curl -sS -m 2 "$2"; }

@test "from another host" {
  [ "$(fetch h2 "http://$(address_of h1):8080/")" = "hello from web" ]
}

@test "from the host itself: its own address, the bridge's, and 127.0.0.1" {
  [ "$(fetch h1 "http://$(address_of h1):8080/")" = "hello from web" ]
  [ "$(fetch h1 http://10.1.0.1:8080/)" = "hello from web" ]
  [ "$(fetch h1 http://127.0.0.1:8080/)" = "hello from web" ]
}

@test "from another network, through the host's address" {
  [ "$(inside stranger "http://$(address_of h1):8080/")" = "hello from web" ]
}

@test "TestPortMappedHairpinTCP: from the container itself and its neighbour, through the host's address" {
  [ "$(inside web "http://$(address_of h1):8080/")" = "hello from web" ]
  [ "$(inside peer "http://$(address_of h1):8080/")" = "hello from web" ]
  [ "$(inside peer http://10.1.0.1:8080/)" = "hello from web" ]
}

@test "TestAccessPortPublishedOnLoopbackAddress: the host reaches it, the LAN does not" {
  [ "$(fetch h1 http://127.0.0.1:9090/)" = "hello from web" ]
  run fetch h2 "http://$(address_of h1):9090/"
  [ "$status" -ne 0 ]
  h2 ip route add 127.0.0.0/8 via "$(address_of h1)" dev eth0 table main || true
  run fetch h2 http://127.0.0.1:9090/
  [ "$status" -ne 0 ]
}

@test "publish and unpublish: ports of what runs already" {
  local before
  before=$(snapshot)
  run h1 berth publish -p 8090:80 -p 127.0.0.1:8091-8092:81-82 peer
  [ "$status" -eq 0 ]
  [ "$output" = $'80/tcp -> 0.0.0.0:8090\n81/tcp -> 127.0.0.1:8091\n82/tcp -> 127.0.0.1:8092' ]
  serve peer 80
  [ "$(fetch h2 "http://$(address_of h1):8090/")" = "hello from peer" ]
  [ "$(h1 berth port peer)" = "$output" ]
  refused 8090 "taken by peer" -- publish -p 8090:83 peer
  [[ $(h1 berth plan unpublish -p 80 peer) == *"8090"* ]]
  h1 berth unpublish --network front -p 80 -p 8091-8092:81-82 peer
  [ -z "$(h1 berth port peer)" ]
  [ "$(snapshot)" = "$before" ]
  refused "does not publish 8090:80" -- unpublish -p 8090:80 peer
  refused "which ports" -- publish peer
  refused "peer is not connected to network other" -- publish --network other -p 80 peer
}

@test "publish on one of several networks; unpublish finds the port by itself" {
  h1 berth network connect other peer
  refused "front, other" "say which is meant" -- publish -p 8090:80 peer
  h1 berth publish --network other -p 8090:80 peer
  h1 berth network connect -p 8091:80 front peer # what is connected already gets the ports
  [ "$(h1 berth port peer | sort)" = $'80/tcp -> 0.0.0.0:8090\n80/tcp -> 0.0.0.0:8091' ]
  refused "connected to network front already" -- network connect --ip 10.1.0.99 -p 8092:80 front peer
  refused "connected to network front already" -- network connect front peer
  h1 berth unpublish -p 80 peer
  [ -z "$(h1 berth port peer)" ]
  h1 berth network disconnect other peer
}

@test "a port on the address of a network that the same command makes" {
  [ -z "$(h1 ip -br link show berth0 2>/dev/null)" ]
  h1 berth run -d --name first -p 172.17.0.1:6379:80 -- sleep 1000
  serve first 80
  [ "$(fetch h1 http://172.17.0.1:6379/)" = "hello from first" ]
  h1 berth rm -f first
}

@test "run -p waits for a way out that can publish it" {
  h1 berth network create -d macvlan -o parent=eth0 --subnet 10.9.0.0/24 lan
  h1 berth run -d --name late --network lan --network other -p 8083:80 -- sleep 1000
  serve late 80
  [ -z "$(h1 berth port late)" ]
  [[ $(h1 berth inspect --format '{{json .HostConfig.PortBindings}}' late) == *8083* ]]
  h1 berth network disconnect lan late
  [[ $(h1 berth port late) == *8083* ]]
  [ "$(fetch h2 "http://$(address_of h1):8083/")" = "hello from late" ]
  h1 berth rm -f late
}

@test "a container does not reach the host's loopback" {
  h1 sh -c 'mkdir -p /tmp/private && echo secret > /tmp/private/index.html'
  h1 busybox httpd -p 127.0.0.1:7070 -h /tmp/private
  [ "$(fetch h1 http://127.0.0.1:7070/)" = secret ]
  h1 berth exec --privileged web -- ip route add 127.0.0.2/32 via 10.1.0.1 || true
  run inside web http://127.0.0.2:7070/
  [ "$status" -ne 0 ]
}

@test "a container's own address is not reached by a route to its subnet, published port or not" {
  h2 ip route add 10.1.0.0/24 via "$(address_of h1)"
  run fetch h2 http://10.1.0.2/
  [ "$status" -ne 0 ]
  run h2 ping -c1 -W1 10.1.0.2
  [ "$status" -ne 0 ]
}

@test "isolate networks (netavark): they do not reach each other" {
  run inside stranger http://10.1.0.2/
  [ "$status" -ne 0 ]
  run h1 berth exec stranger -- ping -c1 -W1 10.1.0.2
  [ "$status" -ne 0 ]
}

@test "internal: neighbours and the host, but no way out and no published ports of others" {
  [ "$(inside db2 http://10.3.0.2/)" = "hello from db" ]
  [ "$(fetch h1 http://10.3.0.2/)" = "hello from db" ]
  run h1 berth exec db -- ping -c1 -W1 198.51.100.1
  [ "$status" -ne 0 ]
  h1 berth exec --privileged db -- ip route add default via 10.3.0.1
  run h1 berth exec db -- ping -c1 -W1 198.51.100.1
  [ "$status" -ne 0 ]
  run inside db "http://$(address_of h1):8080/"
  [ "$status" -ne 0 ]
  run h1 berth network connect -p 1:1 back stranger
  [ "$status" -eq 1 ]
  [[ $output == *internal* ]]
}

@test "enable_icc=false: neighbours do not reach each other but through published ports" {
  run h1 berth exec bb -- ping -c1 -W1 10.4.0.2
  [ "$status" -ne 0 ]
  run inside bb http://10.4.0.2/
  [ "$status" -ne 0 ]
  [ "$(inside bb "http://$(address_of h1):8081/")" = "hello from aa" ]
  [ "$(inside aa "http://$(address_of h1):8081/")" = "hello from aa" ]
  h1 berth exec bb -- ping -c1 -W2 198.51.100.1
}

@test "the server sees the client's own address from another host" {
  fetch h2 "http://$(address_of h1):8080/"
  run h1 conntrack -L -p tcp --orig-port-dst 8080 --orig-src "$(address_of h2)"
  [[ $output == *"src=10.1.0.2 dst=$(address_of h2) sport=80"* ]]
}

@test "TestPublishedPortAlreadyInUse: refused, with its owner's name" {
  run h1 berth run -d --network front -p 8080:80 -- sleep 1
  [ "$status" -eq 125 ]
  [[ $output == *"8080"*"web"* ]]
  h1 busybox httpd -p 7171 -h /tmp
  run h1 berth run -d --network front -p 7171:80 -- sleep 1
  [ "$status" -eq 125 ]
  [[ $output == *"7171"*"busybox"* ]]
}

@test "podman run port forward range; a free port where none is given" {
  h1 berth run -d --name many --network front -p 7000-7002:80-82 -p 6000-6010:90 -p 53/udp -- sleep 1000
  run h1 berth port many
  [[ $output == *"80/tcp -> 0.0.0.0:7000"* && $output == *"82/tcp -> 0.0.0.0:7002"* ]]
  [[ $output == *"90/tcp -> 0.0.0.0:6000"* ]]
  [[ $output =~ 53/udp\ -\>\ 0.0.0.0:[0-9]+ ]]
  h1 berth rm -f many
}
