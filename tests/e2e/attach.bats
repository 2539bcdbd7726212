#!/usr/bin/env bats
# What others run, attached at addresses that the caller chooses: the work of pipework and of weave
# attach.

load helpers

setup_file() {
  lab_up 1
  h1 ip link add lan0 address 02:00:00:00:00:01 type bridge
  h1 ip addr add 203.0.113.1/24 dev lan0
  h1 ip link set lan0 up
  h1 berth network create -o mode=unmanaged -o com.docker.network.bridge.name=lan0 lan
  unshare --net sleep 1000 3>&- &
  echo $! >"$BATS_FILE_TMPDIR/pid"
  while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
}
teardown_file() {
  kill "$(cat "$BATS_FILE_TMPDIR/pid")" || true
  [ ! -e "$BATS_FILE_TMPDIR/api" ] || kill "$(cat "$BATS_FILE_TMPDIR/api")" || true
  lab_down
}
setup() {
  pid=$(cat "$BATS_FILE_TMPDIR/pid")
}
inside() {
  nsenter --net="/proc/$pid/ns/net" "$@"
}

@test "a process gets several addresses, a name and a default route, and loses them" {
  h1 berth attach "pid:$pid" 203.0.113.9/24@203.0.113.1 198.51.100.9/28 fd00:2::9/64 --network lan --ifname lan1
  run inside ip -o addr show dev lan1
  [[ $output == *203.0.113.9/24* && $output == *198.51.100.9/28* && $output == *fd00:2::9/64* ]]
  inside ping -c1 -W2 203.0.113.1
  run inside ip route show default
  [[ $output == "default via 203.0.113.1 dev lan1"* ]]

  run h1 berth attach netns:/proc/self/ns/net 203.0.113.9/24 --network lan
  [ "$status" = 1 ]
  h1 berth detach "pid:$pid" 198.51.100.9/28
  run inside ip -o link
  [[ $output != *lan1* ]]
}

@test "without an address the network gives one" {
  h1 berth attach "pid:$pid" --network lan
  run inside ip -o addr show dev eth0
  [[ $output == *203.0.113.2/24* ]]
  h1 berth detach "pid:$pid"
}

@test "an OCI runtime's container by id, by file, and by what the runtime prints" {
  local start
  start=$(cut -d' ' -f22 "/proc/$pid/stat")
  mkdir -p /run/runc/box
  echo "{\"id\": \"box\", \"init_process_pid\": $pid, \"init_process_start\": $start}" >/run/runc/box/state.json
  h1 berth attach oci:box 203.0.113.9/24 --network lan
  h1 berth detach oci:/run/runc/box/state.json
  echo "{\"ociVersion\": \"1.0.2\", \"id\": \"box\", \"status\": \"running\", \"pid\": $pid}" |
    berth lab exec t/h1 -- berth attach oci:- 203.0.113.9/24 --network lan
  inside ping -c1 -W2 203.0.113.1
  h1 berth exec oci:box -- ip -o addr show dev eth0 | grep -q 203.0.113.9
  h1 berth detach oci:box
  run berth lab exec t/h1 -- berth attach oci:- 203.0.113.9/24 --network lan <<< '{"pid": 0}'
  [ "$status" -eq 1 ]
  [[ $output == *"oci:-: the container is not running"* ]]
  rm -r /run/runc/box
}

@test "a container of Docker's, by its Engine API" {
  cat >"$BATS_FILE_TMPDIR/api.py" <<'EOF'
import http.server, json, os, socketserver, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        pids = {"/containers/web/json": int(sys.argv[2]), "/containers/stopped/json": 0}
        known = self.path in pids
        body = json.dumps({"State": {"Pid": pids[self.path]}} if known else {"message": "none"})
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(body.encode())
    def address_string(self):
        return "client"
    def log_message(self, *args):
        pass

socketserver.UnixStreamServer(sys.argv[1], Handler).serve_forever()
EOF
  export DOCKER_HOST=unix://$BATS_FILE_TMPDIR/docker.sock
  python3 "$BATS_FILE_TMPDIR/api.py" "$BATS_FILE_TMPDIR/docker.sock" "$pid" 3>&- &
  echo $! >"$BATS_FILE_TMPDIR/api"
  for _ in $(seq 100); do [ -S "$BATS_FILE_TMPDIR/docker.sock" ] && break || sleep 0.05; done

  h1 berth attach docker:web 203.0.113.9/24 --network lan
  inside ping -c1 -W2 203.0.113.1
  h1 berth network connect bridge docker:web
  h1 berth detach docker:web --network bridge
  h1 berth detach docker:web
  run h1 berth attach docker:nobody 203.0.113.9/24 --network lan
  [ "$status" = 1 ]
  [ "$output" = "berth: docker:nobody: Docker has no such container" ]
  run h1 berth attach docker:stopped 203.0.113.9/24 --network lan
  [ "$status" = 1 ]
  [[ $output == *"not running"* ]]
}

@test "a container of podman's, by its program" {
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  cat >"$BATS_TEST_TMPDIR/bin/podman" <<EOF
#!/bin/sh
[ "\$*" = "inspect --type container --format {{.State.Pid}} -- web" ] && echo $pid && exit
echo "Error: no such container" >&2
exit 125
EOF
  chmod +x "$BATS_TEST_TMPDIR/bin/podman"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  h1 berth attach podman:web 203.0.113.9/24 --network lan
  inside ping -c1 -W2 203.0.113.1
  h1 berth detach podman:web
  run h1 berth attach podman:nobody 203.0.113.9/24 --network lan
  [ "$status" = 1 ]
  [[ $output == *"podman says: Error: no such container"* ]]
}

@test "what cannot be attached changes nothing" {
  before=$(snapshot; inside ip addr)
  refused() { # words of the refusal, then the command
    local words=$1
    shift
    run h1 berth "$@"
    [ "$status" = 1 ] && [[ $output == *"$words"* ]] || { echo "$output" && return 1; }
  }
  refused "which network" attach "pid:$pid" 203.0.113.9/24
  refused "not of one family" attach "pid:$pid" 203.0.113.9/24@fd00::1 --network lan
  refused "203.0.113.9/33" attach "pid:$pid" 203.0.113.9/33 --network lan
  refused "in the subnet of none" attach "pid:$pid" 203.0.113.9/24@10.66.0.1 --network lan
  refused "gateway" attach "pid:$pid" 203.0.113.1/24 --network lan
  refused "does not filter VLANs" attach "pid:$pid" 203.0.113.9/24 --network lan --vlan 10
  refused "1 to 4094" attach "pid:$pid" 203.0.113.9/24 --network lan --vlan 4095
  refused "no such network" attach "pid:$pid" 203.0.113.9/24 --network nowhere
  refused "is no name" attach docker:a/b 203.0.113.9/24 --network lan
  refused "not connected" detach "pid:$pid"
  [ "$(snapshot; inside ip addr)" = "$before" ]
}
