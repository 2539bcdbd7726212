#!/usr/bin/env bats
# Ports on IPv6 for containers that have IPv4 alone: from other hosts, the host itself and [::1], by TCP
# and UDP; and that nothing else gets through the translator.

load helpers

setup_file() {
  lab_up 2
  h1 ip addr add fd00:99::1/64 dev eth0 nodad
  h2 ip addr add fd00:99::2/64 dev eth0 nodad
  h1 berth network create --subnet 10.1.0.0/24 front
  h1 berth network create --subnet 10.2.0.0/24 --subnet fd00:2::/64 both
  h1 berth run -d --name web --network front -p 8080:80 -p 5300:53/udp -p '[fd00:99::1]:8090:80' \
    -- sleep 1000
  h1 berth run -d --name dual --network both -p 8081:80 -- sleep 1000
  serve web 80
  serve dual 80
  h1 berth exec web -- sh -c 'head -c 100000000 /dev/urandom > /tmp/web-www/large'
  h1 berth exec -d web -- python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
while True:
    data, client = s.recvfrom(65535)
    s.sendto(data, client)
'
}
teardown_file() { lab_down; }

setup() {
  h1 ip link show berth64 >/dev/null 2>&1 || skip "this kernel allows no translator"
}

# The lengths of those of the given datagrams that come back as they were.
echoes() { # host address lengths...
  berth lab exec "t/$1" -- python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(2)
for size in map(int, sys.argv[2:]):
    data = os.urandom(size)
    s.sendto(data, (sys.argv[1], 5300))
    try:
        if s.recv(65535) == data:
            print(size, end=" ")
    except TimeoutError:
        pass
' "${@:2}"
}

@test "from another host, the host itself and its [::1]" {
  [ "$(fetch h2 'http://[fd00:99::1]:8080/')" = "hello from web" ]
  [ "$(fetch h1 'http://[fd00:99::1]:8080/')" = "hello from web" ]
  [ "$(fetch h1 'http://[::1]:8080/')" = "hello from web" ]
  [ "$(fetch h1 'http://127.0.0.1:8080/')" = "hello from web" ]
}

@test "a container with both families is on [::1] too" {
  [ "$(fetch h1 'http://[::1]:8081/')" = "hello from dual" ]
}

@test "from a container with IPv6" {
  [ "$(h1 berth exec dual -- curl -sS -m 2 'http://[fd00:99::1]:8080/')" = "hello from web" ]
}

@test "published on one IPv6 address" {
  [ "$(fetch h2 'http://[fd00:99::1]:8090/')" = "hello from web" ]
  run fetch h1 'http://[::1]:8090/'
  [ "$status" -ne 0 ]
}

@test "listed as the one port that it is" {
  [ "$(h1 berth port web 53/udp)" = "0.0.0.0:5300" ]
}

@test "100 MB arrive as they were sent" {
  local sent
  sent=$(h1 berth exec web -- sha256sum /tmp/web-www/large | cut -d' ' -f1)
  for from in 'h2 fd00:99::1' 'h1 ::1'; do
    read -r host ip <<<"$from"
    [ "$(berth lab exec "t/$host" -- curl -sS -m 60 "http://[$ip]:8080/large" |
      sha256sum | cut -d' ' -f1)" = "$sent" ]
  done
}

@test "UDP, larger than the MTU from the host itself" {
  [ "$(echoes h2 fd00:99::1 1 100 1400)" = "1 100 1400 " ]
  [ "$(echoes h1 ::1 1 1400 3000 60000)" = "1 1400 3000 60000 " ]
}

@test "a closed port is refused at once" {
  h1 berth run -d --name closed --network front -p 8099:99 -- sleep 1000
  run fetch h2 'http://[fd00:99::1]:8099/'
  [ "$status" -eq 7 ]
}

@test "who routes the translator's prefix to the host reaches nothing" {
  h2 ip -6 route add 64:ff9b:1::/48 via fd00:99::1 dev eth0
  h2 ip route add 192.0.0.4 via "$(address_of h1)" dev eth0
  run fetch h2 'http://[64:ff9b:1::a01:2]:80/'
  [ "$status" -eq 28 ]
}

@test "reconcile mends it" {
  h1 ip link del berth64
  h1 berth system reconcile
  [ "$(fetch h1 'http://[::1]:8080/')" = "hello from web" ]
  h1 tc filter del dev berth46 ingress
  h1 berth system reconcile
  [ "$(fetch h2 'http://[fd00:99::1]:8080/')" = "hello from web" ]
}
