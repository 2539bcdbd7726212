#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Who a sandbox's process is, what it sees and what it may do.

load helpers

setup_file() {
  lab_up 1
  h1 berth network create --subnet 10.1.0.0/24 net
}
teardown_file() { lab_down; }

cap_of() { # a line of /proc/self/status, in a sandbox with these options
  local line=$1
  shift
  h1 berth run --rm --network none "$@" -- sed -n "s/^$line:\t//p" /proc/self/status
}

@test "capabilities: Docker's by default, more and less on demand, exec like run" {
  [ "$(cap_of CapEff)" = 00000000a80425fb ]
  [ "$(cap_of CapEff --cap-add net_admin --cap-drop NET_RAW)" = 00000000a80415fb ]
  [ "$(cap_of CapBnd --cap-drop ALL --cap-add CAP_CHOWN)" = 0000000000000001 ]
  [ "$(cap_of CapEff --privileged)" = "$(h1 sed -n 's/^CapEff:\t//p' /proc/self/status)" ]
  [ "$(cap_of NoNewPrivs)" = 0 ]
  [ "$(cap_of NoNewPrivs --security-opt no-new-privileges)" = 1 ]
  run h1 berth run --rm --network net -- ip link set eth0 down
  [ "$status" -ne 0 ]
  h1 berth run --rm --network net --cap-add NET_ADMIN -- ip link set eth0 down
  h1 berth run --rm --network net -- ping -c1 -W2 10.1.0.1
  h1 berth run -d --name s1 --network net -- sleep 1000
  [ "$(h1 berth exec s1 sed -n 's/^CapBnd:\t//p' /proc/self/status)" = 00000000a80425fb ]
  run h1 berth exec s1 ip link set eth0 down
  [ "$status" -ne 0 ]
  h1 berth exec --privileged s1 ip link set eth0 down
  h1 berth rm -f s1
  refused 'NET_ADMINS' -- run --cap-add NET_ADMINS true
  refused 'seccomp=x' no-new-privileges -- run --security-opt seccomp=x true
}

@test "files of the kernel that are no namespace's cannot be written" {
  for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do
    [ -e "$file" ] || continue
    run h1 berth run --rm --network net -- sh -c "echo x >$file"
    [ "$status" -ne 0 ]
  done
  [ "$(h1 berth run --rm --network net --privileged -- sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward')" = 1 ]
}

@test "a device node that root makes in a root file system of its own cannot be opened" {
  local root=$BATS_TEST_TMPDIR/rootfs
  mkdir -p "$root/bin" "$BATS_TEST_TMPDIR/data"
  cp "$(command -v busybox)" "$root/bin/"
  for place in /zero /data/zero /dev/zero2; do
    run h1 berth run --rm --rootfs "$root" --network net -v "$BATS_TEST_TMPDIR/data:/data" -- \
      /bin/busybox sh -c "busybox mknod $place c 1 5 && busybox head -c 1 $place"
    [[ $status -ne 0 && $output == *"ermission denied"* ]]
  done
  [ "$(h1 berth run --rm --rootfs "$root" --network net -- /bin/busybox head -c 3 /dev/zero | wc -c)" = 3 ]
}

@test "-u: the user, its groups and its home; exec as well" {
  run h1 berth run --rm --network net -u nobody -- sh -c 'id -u; id -g; echo $HOME'
  [ "$output" = $'65534\n65534\n/nonexistent' ]
  run h1 berth run --rm --network net -u 1000:adm -- sh -c 'id -u; id -G; grep CapEff /proc/self/status'
  [ "$output" = $'1000\n4\nCapEff:\t0000000000000000' ]
  h1 berth run -d --name s1 --network net -u nobody -- sh -c 'echo out >/dev/stdout; exec sleep 1000'
  [ "$(h1 berth exec s1 id -u)" = 65534 ]
  [ "$(h1 berth logs s1)" = out ]
  [ "$(h1 berth exec -u 0 s1 id -u)" = 0 ]
  [ "$(inspect s1 '.[0].Config.User')" = nobody ]
  h1 berth rm -f s1
  refused nosuch -- run -u nosuch true
  # Any port of the sandbox's own is open to any user.
  h1 berth run -d --name s1 --network net -u nobody -- busybox httpd -f -p 80 -h /usr/share/common-licenses
  sleep 0.3
  h1 curl -s -o /dev/null -m 2 "http://$(inspect s1 '.[0].NetworkSettings.Networks.net.IPAddress')/BSD"
  h1 berth rm -f s1
  # Groups of the caller are not the sandbox's.
  [ "$(h1 setpriv --groups 4242 berth run --rm --network net -- id -G)" = 0 ]
}

@test "-v: directories and files of the host, read-only as well; in a root file system of its own" {
  local dir=$BATS_TEST_TMPDIR
  mkdir -p "$dir/data" "$dir/rootfs/bin"
  echo "the host's" >"$dir/data/file"
  cp "$(command -v busybox)" "$dir/rootfs/bin/"
  in_rootfs() { h1 berth run --rm --network net --rootfs "$dir/rootfs" "${options[@]}" -- /bin/busybox "$@"; }
  options=(-v "$dir/data:/srv/data")
  [ "$(in_rootfs cat /srv/data/file)" = "the host's" ]
  in_rootfs touch /srv/data/new
  [ -e "$dir/data/new" ]
  options=(-v "$dir/data:/srv/data:ro" -v "$dir/data/file:/etc/one")
  [ "$(in_rootfs cat /etc/one)" = "the host's" ]
  run in_rootfs touch /srv/data/new2
  [[ $output == *"Read-only"* ]]
  cd "$dir"
  options=(-v ./data:/srv/data)
  [ "$(in_rootfs cat /srv/data/file)" = "the host's" ]
  h1 berth run --rm --network net -v "$dir/data:/mnt" -- cat /mnt/file
  refused 'no named volumes' -- run -v data:/mnt true
  refused "$dir/none" 'No such file' -- run -v "$dir/none:/mnt" true
  refused 'absolute path' -- run -v "$dir/data:mnt" true
  refused "no mode 'x'" -- run -v "$dir/data:/mnt:x" true
}

@test "--read-only, --sysctl, --env-file, --entrypoint, --init" {
  local dir=$BATS_TEST_TMPDIR
  mkdir -p "$dir/rootfs/bin"
  cp "$(command -v busybox)" "$dir/rootfs/bin/"
  run h1 berth run --rm --read-only --rootfs "$dir/rootfs" --network net -- /bin/busybox touch /x
  [[ $output == *"Read-only"* ]]
  [ "$(h1 berth run --rm --sysctl net.ipv4.conf.eth0.log_martians=1 --network net -- cat /proc/sys/net/ipv4/conf/eth0/log_martians)" = 1 ]
  refused "whole machine" -- run --sysctl kernel.core_pattern=x true
  refused "no network namespace of its own" -- run --network host --sysctl net.ipv4.ip_forward=1 true
  printf '# comment\n\nA=1\n  B=two words\nC=file\n' >"$dir/env"
  run h1 berth run --rm --network net --env-file "$dir/env" -e C=option -- sh -c 'echo $A/$B/$C'
  [ "$output" = "1/two words/option" ]
  refused "$dir/none" -- run --env-file "$dir/none" true
  [ "$(h1 berth run --rm --network net --entrypoint echo -- one two)" = "one two" ]
  [ "$(h1 berth run --rm --network net --init -- cat /proc/1/comm)" = berth-init ]
  h1 berth run -d --name s1 --network net --init -- sleep 1000
  h1 berth stop s1
  [ "$(inspect s1 '.[0].State.ExitCode')" = 143 ]
  h1 berth rm s1
}

@test "inspect tells it in Docker's form" {
  h1 berth run -d --name s1 --network net -u 7:8 -w /usr -e A=1 --entrypoint sleep --cap-add NET_ADMIN \
    -v /usr:/mnt:ro --init --sysctl net.ipv4.ip_forward=1 -- 1000
  [ "$(h1 berth inspect s1 | jq -c '.[0].Config | [.User, .WorkingDir, .Entrypoint, .Cmd, (.Env | index("A=1") != null)]')" \
    = '["7:8","/usr",["sleep"],["1000"],true]' ]
  [ "$(h1 berth inspect s1 | jq -c '.[0].HostConfig | [.CapAdd, .CapDrop, .Binds, .Init, .Sysctls, .Privileged, .ReadonlyRootfs]')" \
    = '[["NET_ADMIN"],null,["/usr:/mnt:ro"],true,{"net.ipv4.ip_forward":"1"},false,false]' ]
  [ "$(h1 berth inspect s1 | jq -c '.[0] | [.Path, .Args, .Mounts[0].RW]')" = '["sleep",["1000"],false]' ]
  h1 berth rm -f s1
}
