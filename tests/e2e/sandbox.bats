#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# run, ps, inspect, exec, logs, stop, rm, sandbox create; ends of all kinds leave nothing behind.

load helpers

setup_file() {
  lab_up 1
  h1 berth network create --subnet 10.1.0.0/24 net
}
teardown_file() { lab_down; }

leftovers() { # the names of veths and the number of elements of published ports
  h1 ip -o link | grep -c veth
  h1 nft list map inet berth publish4 | grep -c ' : '
}

@test "run in the foreground: output, input, exit code" {
  run h1 berth run --rm --network net -- sh -c 'echo out; exit 7'
  [ "$status" -eq 7 ]
  [ "$output" = out ]
  run bash -c 'echo from stdin | berth lab exec t/h1 -- berth run -i --rm --network net -- cat'
  [ "$output" = "from stdin" ]
}

@test "run: 126 for what cannot be executed, 127 for what is not found, 125 for berth's refusals" {
  run h1 berth run --rm --network net -- /etc/passwd
  [ "$status" -eq 126 ]
  run -127 h1 berth run --rm --network net -- /no/such/program
  run h1 berth run --rm --network nowhere -- true
  [ "$status" -eq 125 ]
  [[ $output == *nowhere* ]]
  [ -z "$(h1 berth ps -aq)" ]
}

@test "the namespaces and files of its own" {
  h1 berth run -d --name s1 --hostname box --add-host db:10.9.9.9 --network net -- sleep 1000
  local pid
  pid=$(inspect s1 '.[0].State.Pid')
  for ns in net mnt uts ipc pid; do
    [ "$(readlink "/proc/$pid/ns/$ns")" != "$(h1 readlink "/proc/self/ns/$ns")" ]
  done
  [ "$(h1 berth exec s1 -- hostname)" = box ]
  [ "$(h1 berth exec s1 -- cat /etc/hostname)" = box ]
  run h1 berth exec s1 -- cat /etc/hosts
  [[ $output == *"127.0.0.1"*localhost* && $output == *"10.1.0.2"*box* && $output == *"10.9.9.9"*db* ]]
  run h1 berth exec s1 -- cat /proc/1/comm
  [ "$output" = sleep ]
  run h1 berth exec s1 -- ls /sys/class/net
  [ "$(echo $output)" = "eth0 lo" ]
  [ "$(hostname)" != box ]
  h1 berth rm -f s1
}

@test "names: given, made up, taken; ids may be shortened" {
  h1 berth run -d --name taken --network net -- sleep 1000
  run h1 berth run -d --name taken --network net -- sleep 1000
  [ "$status" -eq 125 ]
  [[ $output == *taken* ]]
  local id
  id=$(h1 berth run -d --network net -- sleep 1000)
  [[ $id =~ ^[0-9a-f]{64}$ ]]
  [[ $(inspect "${id:0:8}" '.[0].Name') =~ ^/[a-z]+_[a-z]+$ ]]
  h1 berth rm -f taken "${id:0:12}"
}

@test "ps, logs, stop, rm" {
  h1 berth run -d --name s1 --network net -- sh -c 'echo one; echo two >&2; exec sleep 1000'
  run h1 berth ps
  [[ $output == *"CONTAINER ID"*"s1"* ]]
  sleep 0.2
  [ "$(h1 berth logs s1 2>/dev/null)" = one ]
  [ "$(h1 berth logs s1 2>&1 >/dev/null)" = two ]
  run h1 berth rm s1
  [ "$status" -eq 1 ]
  [[ $output == *"running"* ]]
  run h1 berth stop -t 1 s1
  [ "$output" = s1 ]
  [ -z "$(h1 berth ps -q)" ]
  [ "$(inspect s1 '.[0].State.Status')" = exited ]
  [ "$(inspect s1 '.[0].State.ExitCode')" = 137 ]
  [ "$(h1 berth logs s1 2>/dev/null)" = one ]
  h1 berth rm s1
  [ -z "$(h1 berth ps -aq)" ]
}

@test "ps: the last ones, and filters" {
  local names=(ps -a --format '{{.Names}}')
  h1 berth run -d --name f1 --label tier=web --network net -- sh -c 'exit 3'
  h1 berth run -d --name f2 --label tier=db --network none -- sleep 1000
  local id
  id=$(h1 berth run -d --name f3 --network net -- sleep 1000)
  [ "$(h1 berth ps -lq --no-trunc)" = "$id" ]
  [ "$(echo $(h1 berth ps -n 3 --format '{{.Names}}'))" = "f3 f2 f1" ]
  [ "$(echo $(h1 berth "${names[@]}" -n 1 --filter network=none))" = f2 ]
  [ "$(echo $(h1 berth ps --format '{{.Names}}' --filter exited=3))" = f1 ]
  [ -z "$(h1 berth ps -q --filter exited=0)" ]
  [ "$(echo $(h1 berth "${names[@]}" --filter label=tier=web --filter label=tier))" = f1 ]
  [ "$(echo $(h1 berth "${names[@]}" --filter name=f2 --filter name=f3))" = "f3 f2" ]
  [ "$(h1 berth "${names[@]}" --filter "id=${id:0:10}")" = f3 ]
  [ "$(h1 berth "${names[@]}" --filter status=exited --filter label=tier)" = f1 ]
  h1 berth rm -f f1 f2 f3
}

@test "exec: user, working directory, environment" {
  h1 berth run -d --name s1 -e A=1 -e B=2 --network net -- sleep 1000
  run h1 berth exec -u nobody -w /usr -e B=3 s1 -- sh -c 'echo $(id -u):$(id -g) $PWD $A $B $HOME'
  [ "$output" = "65534:65534 /usr 1 3 /nonexistent" ]
  run h1 berth exec -u 7:adm s1 -- sh -c 'echo $(id -u):$(id -g)'
  [ "$output" = 7:4 ]
  run h1 berth exec -u nosuch s1 -- true
  [ "$status" -eq 125 ]
  [[ $output == *"no user 'nosuch'"* ]]
  h1 berth rm -f s1
  # The names are the sandbox's own, and its links lead nowhere else.
  local root=$BATS_TEST_TMPDIR/rootfs
  mkdir -p "$root/bin" "$root/etc"
  cp "$(command -v busybox)" "$root/bin/"
  echo 'own:x:42:43::/:' >"$root/etc/passwd"
  cp /etc/group "$BATS_TEST_TMPDIR/group"
  ln -s "$BATS_TEST_TMPDIR/group" "$root/etc/group"
  h1 berth run -d --name s1 --rootfs "$root" --network net -- /bin/busybox sleep 1000
  run h1 berth exec -u own s1 /bin/busybox id -u
  [ "$output" = 42 ]
  run h1 berth exec -u own:adm s1 /bin/busybox id -u
  [ "$status" -eq 125 ]
  h1 berth rm -f s1
}

@test "stop ends the whole process tree" {
  h1 berth run -d --name tree --network net -- sh -c 'sleep 4321 & setsid sleep 4321 & wait'
  sleep 0.2
  [ "$(pgrep -fc 'sleep 4321')" -ge 2 ]
  h1 berth stop -t 1 tree
  run pgrep -f '^sleep 4321'
  [ "$status" -ne 0 ]
  h1 berth rm tree
}

@test "--rm leaves nothing, whatever ended the process" {
  local before
  before=$(leftovers || true)
  # It ends by itself.
  h1 berth run -d --rm --name e1 -p 81:80 --network net -- sleep 0.3
  # It is killed.
  h1 berth run -d --rm --name e2 -p 82:80 --network net -- sleep 1000
  kill -9 "$(inspect e2 '.[0].State.Pid')"
  # berth's own helper is killed.
  h1 berth run -d --rm --name e3 -p 83:80 --network net -- sleep 1000
  local pid shim
  pid=$(inspect e3 '.[0].State.Pid')
  shim=$(awk '{print $4}' "/proc/$pid/stat")
  kill -9 "$shim"
  sleep 1
  [ ! -e "/proc/$pid/exe" ]
  [ -z "$(h1 berth ps -aq)" ]
  [ "$(leftovers || true)" = "$before" ]
  h1 berth run --rm --ip 10.1.0.2 --network net -- true
}

@test "what announces the addresses of a sandbox in the foreground is no child that it waits for" {
  h1 berth run --rm --name fg --network net -- sleep 1000 &
  local shim
  for _ in $(seq 100); do
    shim=$(awk '{print $4}' "/proc/$(inspect fg '.[0].State.Pid' 2> /dev/null)/stat" 2> /dev/null) && break
    sleep 0.05
  done
  # Once the announcer, whose words are the same, is there.
  for _ in $(seq 100); do
    [ "$(pgrep -fc '^berth run --rm --name fg')" -gt 1 ] && break
    sleep 0.05
  done
  [ "$(ps -o pid= --ppid "$(awk '{print $4}' "/proc/$shim/stat")" | wc -l)" -eq 1 ]
  h1 berth rm -f fg
  wait || true
}

@test "an end is recorded whatever the configuration file is by then" {
  run h1 berth --config /no/such/file ps
  [[ $output == *"configuration /no/such/file"* ]]
  h1 berth --config /no/such/file sandbox exited "$(printf '0%.0s' $(seq 64))" 0
}

@test "-p can be used again at once after rm -f" {
  for _ in 1 2 3; do
    h1 berth run -d --name again -p 8088:80 --ip 10.1.0.9 --network net -- sleep 1000
    h1 berth rm -f again
  done
}

@test "sandbox create: a namespace without a process, to connect and run things in" {
  run h1 berth sandbox create lone
  [ "$status" -eq 0 ]
  h1 berth network connect --ip 10.1.0.50 net lone
  run h1 berth exec lone -- ip -4 -o addr show dev eth0
  [[ $output == *10.1.0.50/24* ]]
  h1 ping -c1 -W2 10.1.0.50
  h1 berth network disconnect net lone
  run h1 berth exec lone -- ip -o link
  [[ $output != *eth0* ]]
  h1 berth rm -f lone
  run h1 berth inspect lone
  [ "$status" -eq 1 ]
}

@test "pid:N and netns:PATH name what others started" {
  h1 sh -c 'unshare --net sleep 1000 & echo $! > /tmp/foreign.pid; sleep 0.2'
  local pid
  pid=$(cat /tmp/foreign.pid)
  h1 berth network connect --ip 10.1.0.60 net "pid:$pid"
  h1 ping -c1 -W2 10.1.0.60
  run h1 berth inspect "pid:$pid"
  [[ $output == *10.1.0.60* ]]
  h1 berth network disconnect net "pid:$pid"
  run h1 ping -c1 -W1 10.1.0.60
  [ "$status" -ne 0 ]
  kill "$pid"
}

@test "a root file system of its own" {
  local root=$BATS_TEST_TMPDIR/rootfs
  mkdir -p "$root/bin" "$root/etc"
  cp "$(command -v busybox)" "$root/bin/"
  for applet in sh ls cat ip; do ln -s busybox "$root/bin/$applet"; done
  run h1 berth run --rm --rootfs "$root" --network net -- /bin/ls /
  [[ $output == *bin* && $output != *usr* ]]
  run h1 berth run --rm --rootfs "$root" --network net -- /bin/cat /etc/resolv.conf /etc/hosts
  [[ $output == *nameserver* && $output == *localhost* ]]
  cd "$BATS_TEST_TMPDIR"
  run h1 berth run --rm --rootfs ./rootfs --network net -- /bin/ls /
  [[ $output == *bin* && $output != *usr* ]]
}

@test "reconcile gives a sandbox its own /etc files back where others took their places" {
  local root=$BATS_TEST_TMPDIR/rootfs
  mkdir -p "$root/bin" "$root/etc"
  cp "$(command -v busybox)" "$root/bin/"
  h1 berth run -d --name s1 --rootfs "$root" --network net -- /bin/busybox sleep 1000
  h1 berth run -d --name s2 --rootfs "$root" --network container:s1 -- /bin/busybox sleep 1000
  [ "$(h1 berth exec s1 /bin/busybox tail -n1 /etc/hosts | cut -f1)" = "$(inspect s1 '.[0].NetworkSettings.Networks.net.IPAddress')" ]
  echo other >"$root/etc/hosts.new"
  mv "$root/etc/hosts.new" "$root/etc/hosts"
  [ "$(h1 berth exec s1 /bin/busybox cat /etc/hosts)" = other ]
  run h1 berth system reconcile
  [[ $output == *"s1: its own /etc/hosts is mounted again"* ]]
  [[ $output == *"s2: its own /etc/hosts is mounted again"* ]]
  [[ $(h1 berth exec s1 /bin/busybox cat /etc/hosts) == *localhost* ]]
  [[ $(h1 berth exec s2 /bin/busybox cat /etc/hosts) == *localhost* ]]
  run h1 berth system reconcile
  [[ $output != *"mounted again"* ]]
  h1 berth rm -f s1 s2
}

@test "a root file system that cannot be prepared is what is told" {
  local root=$BATS_TEST_TMPDIR/rootfs
  mkdir -p "$root"
  touch "$root/proc"  # no mount point for a proc
  for _ in $(seq 10); do
    run h1 berth run --rm --rootfs "$root" --network net -- /bin/true
    [ "$status" -eq 125 ]
    [[ $output == *"mount proc on /proc"* && $output != *"/ns/net"* ]]
  done
  [ -z "$(h1 berth ps -aq)" ]
}

@test "twenty at once, each with an address of its own; all gone in one rm" {
  local pids=() names=()
  for i in $(seq 20); do
    names+=("n$i")
    h1 berth run -d --name "n$i" -p "$((9100 + i)):80" --network net -- sleep 1000 >/dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
  [ "$(h1 berth network inspect net | jq '.[0].Containers | map(.IPv4Address) | unique | length')" = 20 ]
  h1 berth rm -f "${names[@]}"
  [ -z "$(h1 berth ps -aq)" ]
  [ "$(h1 ip -o link | grep -c veth)" = 0 ]
}
