#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# New addresses are announced to the neighbours: Docker's TestAdvertiseAddresses.

load helpers

setup_file() {
  lab_up 1
  h1 berth network create --subnet 10.88.0.0/24 --subnet fd00:88::/64 --ipv6 \
    -o com.docker.network.bridge.name=br88 -o com.docker.network.advertise_addr_ms=100 web
}
teardown_file() { lab_down; }
teardown() { h1 berth rm -f a1 a2 > /dev/null; }

# Starts to count the announcements that container a1's eth0 hears. Prints, when `heard` asks, one line for each:
# the address and the MAC address that has it.
listen() {
  h1 berth exec -d a1 -- python3 -u -c '
import ipaddress, socket
listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
listener.bind(("eth0", 0))
print("listening", file=open("'"$BATS_TEST_TMPDIR"'/heard", "a"))
while True:
    frame = listener.recv(2048)
    protocol, body, line = frame[12:14], frame[14:], None
    if protocol == b"\x08\x06" and body[14:18] == body[24:28]:
        line = "%s %s" % (ipaddress.ip_address(body[14:18]), body[8:14].hex(":"))
    if protocol == b"\x86\xdd" and body[6] == 58 and body[40] == 136 and body[24:40] == ipaddress.ip_address("ff02::1").packed:
        line = "%s %s" % (ipaddress.ip_address(body[48:64]), body[66:72].hex(":"))
    if line: print(line, file=open("'"$BATS_TEST_TMPDIR"'/heard", "a"))
'
  for _ in $(seq 100); do
    grep -q listening "$BATS_TEST_TMPDIR/heard" 2> /dev/null && return 0
    sleep 0.05
  done
  return 1
}
# Waits until $2 announcements of address $1 are there, and some time more for one too many.
heard_times() {
  for _ in $(seq 60); do
    [ "$(grep -c "^$1 " "$BATS_TEST_TMPDIR/heard")" -ge "$2" ] && break
    sleep 0.05
  done
  sleep 0.25
  [ "$(grep -c "^$1 " "$BATS_TEST_TMPDIR/heard")" -eq "$2" ]
}
neighbours() { h1 berth exec a1 -- ip neigh show dev eth0; }

@test "TestAdvertiseAddresses: three ARP announcements and advertisements; neighbours learn a new MAC address" {
  h1 berth run -d --name a1 --network web -- sleep 1000
  listen
  h1 berth exec --privileged a1 -- ip neigh replace 10.88.0.77 lladdr 02:00:00:00:00:99 dev eth0 nud stale
  h1 berth exec --privileged a1 -- ip neigh replace fd00:88::77 lladdr 02:00:00:00:00:99 dev eth0 nud stale
  h1 berth run -d --name a2 --network web --ip 10.88.0.77 --ip6 fd00:88::77 \
    --mac-address 02:00:00:00:00:11 -- sleep 1000
  heard_times 10.88.0.77 3
  heard_times fd00:88::77 3
  grep -q '^10.88.0.77 02:00:00:00:00:11$' "$BATS_TEST_TMPDIR/heard"
  [[ $(neighbours) == *"10.88.0.77 lladdr 02:00:00:00:00:11"* ]]
  [[ $(neighbours) == *"fd00:88::77 lladdr 02:00:00:00:00:11"* ]]
}

@test "TestAdvertiseAddresses: as often as the network says, by connect too" {
  h1 berth run -d --name a1 --network web -- sleep 1000
  listen
  h1 berth network create --subnet 10.89.0.0/24 -o com.docker.network.advertise_addr_nmsgs=1 quiet
  h1 berth network connect quiet a1 --ifname quiet0
  h1 berth sandbox create a2
  h1 berth network connect web a2 --ip 10.88.0.78
  heard_times 10.88.0.78 3
  h1 berth network disconnect quiet a1
  h1 berth network rm quiet
  run -1 h1 berth network create -o com.docker.network.advertise_addr_nmsgs=4 four
  [[ $output == *advertise_addr_nmsgs* ]]
  run -1 h1 berth network create -o com.docker.network.advertise_addr_ms=99 four
  [[ $output == *advertise_addr_ms* ]]
}

@test "the announcing process holds nothing of its command's" {
  h1 berth network create --subnet 10.89.0.0/24 -o com.docker.network.advertise_addr_ms=2000 slow
  h1 berth run -d --name a1 --network slow -- sleep 1000
  local pid
  pid=$(pgrep -f 'berth run -d --name a1 --network slow')
  [ "$(readlink "/proc/$pid/cwd")" = / ]
  for _ in $(seq 40); do # but while it sends
    [ "$(readlink /proc/"$pid"/fd/* | sort -u)" = /dev/null ] && break
    sleep 0.02
  done
  [ "$(readlink /proc/"$pid"/fd/* | sort -u)" = /dev/null ]
  h1 berth rm -f a1
  h1 berth network rm slow
}
