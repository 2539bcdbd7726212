#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# /etc/hosts and /etc/resolv.conf of sandboxes: themselves, links, added hosts, name servers.

load helpers

setup_file() {
  lab_up 1
  h1 berth network create --subnet 10.1.0.0/24 net
  h1 berth network create --subnet 10.2.0.0/24 other
}
teardown_file() { lab_down; }
teardown() {
  local left
  left=$(h1 berth ps -aq)
  [ -z "$left" ] || h1 berth rm -f $left >/dev/null
}

hosts() { h1 berth exec "$1" cat /etc/hosts; }
# The lines of the hosts file after those of localhost.
lines() { hosts "$1" | grep -v 'localhost\|ip6-'; }

LOCAL=$'127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters'

@test "TestEtcHostsIpv6: the lines of localhost in both families" {
  h1 berth run -d --name s1 --network none sleep 1000
  [ "$(hosts s1)" = "$LOCAL" ]
}

@test "TestEtcHostsDisconnect: a network's line goes with its endpoint" {
  h1 berth run -d --name s1 --hostname box --network net sleep 1000
  h1 berth network connect other s1
  [ "$(hosts s1)" = "$LOCAL"$'\n10.1.0.2\tbox\n10.2.0.2\tbox' ]
  h1 berth network disconnect net s1
  [ "$(hosts s1)" = "$LOCAL"$'\n10.2.0.2\tbox' ]
  h1 berth network disconnect other s1
  [ "$(hosts s1)" = "$LOCAL" ]
}

@test "a host name with a domain stands with its first label" {
  run h1 berth run --rm --network net --hostname web.example.org sh -c 'hostname; tail -1 /etc/hosts'
  [ "$output" = $'web.example.org\n10.1.0.2\tweb.example.org web' ]
  run h1 berth run --rm --network net --hostname web --domainname example.org sh -c \
    'cat /proc/sys/kernel/domainname; tail -1 /etc/hosts'
  [ "$output" = $'example.org\n10.1.0.2\tweb.example.org web' ]
}

@test "--add-host, host-gateway" {
  h1 berth run -d --name s1 --hostname box --network net --add-host db:10.9.9.9 --add-host six:[fd00::9] \
    --add-host me:host-gateway sleep 1000
  [ "$(lines s1)" = $'10.9.9.9\tdb\nfd00::9\tsix\n10.1.0.1\tme\n10.1.0.2\tbox' ]
  [ "$(inspect s1 '.[0].HostConfig.ExtraHosts | join(" ")')" = "db:10.9.9.9 six:fd00::9 me:host-gateway" ]
  h1 berth network connect other s1
  h1 berth network disconnect net s1
  [ "$(lines s1)" = $'10.9.9.9\tdb\nfd00::9\tsix\n10.2.0.1\tme\n10.2.0.2\tbox' ]
  h1 berth network disconnect other s1
  [ "$(lines s1)" = $'10.9.9.9\tdb\nfd00::9\tsix' ]
  h1 berth network connect net s1
  [[ $(lines s1) == *$'10.1.0.1\tme'* ]]
  for words in "run --network none" "plan run --network none" "run --network host" ; do
    run h1 berth $words --add-host me:host-gateway true
    [[ $words == *none* ]] || { [ "$status" -eq 0 ]; continue; }
    [ "$status" -ne 0 ]
    [[ $output == *host-gateway* ]]
  done
}

@test "TestLegacyLink: by name, by alias, in Docker's form" {
  h1 berth run -d --name svr --network net sleep 1000
  local id
  id=$(inspect svr '.[0].Id')
  serve svr 80
  h1 berth run -d --name aa --hostname a --network net --link svr sleep 1000
  h1 berth run -d --name bb --hostname b --network net --link "${id:0:10}:thealias" sleep 1000
  [ "$(lines aa)" = $'10.1.0.2\tsvr '"${id:0:12}"$'\n10.1.0.3\ta' ]
  [ "$(lines bb)" = $'10.1.0.2\tthealias '"${id:0:12}"$' svr\n10.1.0.4\tb' ]
  [ "$(h1 berth exec aa curl -s http://svr/)&" ]
  [ "$(h1 berth exec bb curl -s http://thealias/)&" ]
  [ "$(inspect bb '.[0].NetworkSettings.Networks.net.Links[0]')" = svr:thealias ]
}

@test "TestLinksUpdateOnRestart: a link follows the linked one" {
  h1 berth run -d --name db --hostname dbhost --network net sleep 1000
  h1 berth run -d --name web --hostname web --network net --link db:data sleep 1000
  [ "$(lines web)" = $'10.1.0.2\tdata dbhost db\n10.1.0.3\tweb' ]
  h1 berth network connect --link db other web
  [ "$(lines web)" = $'10.1.0.2\tdata dbhost db\n10.1.0.3\tweb\n10.2.0.2\tweb' ]
  h1 berth network connect --ip 10.2.0.7 other db
  [[ $(lines web) == *$'10.2.0.7\tdb dbhost'* ]]
  h1 berth network disconnect net db
  [ "$(lines web)" = $'10.2.0.7\tdb dbhost\n10.1.0.3\tweb\n10.2.0.2\tweb' ]
  h1 berth network connect --ip 10.1.0.9 net db
  [[ $(lines web) == *$'10.1.0.9\tdata dbhost db'* ]]
  h1 berth stop -t 0 db
  [ "$(lines web)" = $'10.1.0.3\tweb\n10.2.0.2\tweb' ]
  h1 berth rm db
  h1 berth run -d --name db --hostname new --network net sleep 1000
  [[ $(lines web) == *$'10.1.0.2\tdata new db'* ]]
  h1 berth rm -f db
  [ "$(lines web)" = $'10.1.0.3\tweb\n10.2.0.2\tweb' ]
}

@test "TestRemoveLegacyLink: a link goes with its endpoint" {
  h1 berth run -d --name db --network net sleep 1000
  h1 berth run -d --name web --hostname web --network net --link db sleep 1000
  h1 berth network disconnect net web
  [ -z "$(lines web)" ]
  h1 berth network disconnect net db
  h1 berth network connect net db
  [ -z "$(lines web)" ]
}

@test "two link to each other's name; what is killed leaves no line" {
  h1 berth run -d --name one --hostname one --network net sleep 1000
  h1 berth run -d --name two --hostname two --network net --link one sleep 1000
  h1 berth network disconnect net one
  h1 berth network connect --link two net one
  [[ $(lines one) == *$'\ttwo'* && $(lines two) == *$'\tone'* ]]
  local pid shim
  pid=$(inspect two '.[0].State.Pid')
  shim=$(awk '/^PPid/ {print $2}' "/proc/$pid/status")
  kill -9 "$shim"
  for _ in $(seq 100); do
    [ "$(inspect two '.[0].State.Status')" = running ] || break
    sleep 0.05
  done
  h1 berth ps >/dev/null
  [[ $(lines one) != *$'\ttwo'* ]]
}

@test "a link to a sandbox of a shared network is a link to its owner" {
  h1 berth run -d --name pod --hostname pod --network net sleep 1000
  h1 berth run -d --name app --network container:pod sleep 1000
  h1 berth run -d --name web --hostname web --network net --link app sleep 1000
  [ "$(lines web)" = $'10.1.0.2\tapp pod\n10.1.0.3\tweb' ]
  h1 berth rm -f app pod web
}

@test "TestLinksInvalidContainerTarget: links that are refused" {
  h1 berth run -d --name db --network net sleep 1000
  h1 berth run -d --name gone --network net true
  h1 berth run -d --name alone --network none sleep 1000
  refuse() { # words, then the link
    run h1 berth run --rm --name self --network net --link "$2" true
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == *"$1"* ]]
  }
  refuse "no such sandbox: nobody" nobody
  refuse "NAME or NAME:ALIAS" db:a:b
  refuse "NAME or NAME:ALIAS" "db:a b"
  refuse "NAME or NAME:ALIAS" db:
  refuse "no such sandbox: self" self
  refuse "does not run" gone
  refuse "has no address" alone
  run h1 berth network connect --link db other db
  [ "$status" -eq 1 ]
  [[ $output == *"cannot link to itself"* ]]
  ip netns add theirs
  run h1 berth network connect --link db net netns:/run/netns/theirs
  [ "$status" -eq 1 ]
  [[ $output == *"somebody else's"* ]]
  ip netns del theirs
}

@test "podman verify resolv.conf with --dns: --dns, --dns-search, --dns-opt" {
  run h1 berth run --rm --network net --dns 9.9.9.9 --dns fd00::53 --dns-search a.org --dns-search b.org \
    --dns-opt ndots:3 --dns-option rotate cat /etc/resolv.conf
  [ "$output" = $'nameserver 9.9.9.9\nnameserver fd00::53\nsearch a.org b.org\noptions ndots:3 rotate' ]
  h1 berth run -d --name s1 --network net --dns 9.9.9.9 sleep 1000
  [ "$(inspect s1 '.[0].HostConfig.Dns[0]')" = 9.9.9.9 ]
  for option in "--dns here" "--dns-search a/b" "--dns-opt="; do
    run h1 berth run --rm --network net $option true
    [ "$status" -eq 125 ]
    [[ $output == *"${option%%[ =]*}"* ]]
  done
}

@test "TestResolvConfLocalhostIPv6: loopback servers of the host's dropped, IPv6 ones where there is IPv6" {
  # Over the host's, in the mount namespace of these tests.
  printf 'nameserver 127.0.0.53\nnameserver 10.9.9.1\nnameserver fd00::1\nsearch lan\n' >"$BATS_TEST_TMPDIR/conf"
  mount --bind "$BATS_TEST_TMPDIR/conf" "$(readlink -f /etc/resolv.conf)"
  local v4 host overridden
  v4=$(h1 berth run --rm --network net cat /etc/resolv.conf)
  host=$(h1 berth run --rm --network host cat /etc/resolv.conf)
  overridden=$(h1 berth run --rm --network host --dns-search corp cat /etc/resolv.conf)
  umount "$(readlink -f /etc/resolv.conf)"
  [ "$v4" = $'nameserver 10.9.9.1\nsearch lan' ]
  [ "$host" = "$(cat "$BATS_TEST_TMPDIR/conf")" ]
  [ "$overridden" = $'nameserver 127.0.0.53\nnameserver 10.9.9.1\nnameserver fd00::1\nsearch corp' ]
}

@test "what a sandbox writes into its hosts file and resolv.conf stays" {
  h1 berth network create --subnet 10.3.0.0/24 --ipv6 dual
  h1 berth run -d --name s1 --hostname box --network net --dns 9.9.9.9 sleep 1000
  h1 berth run -d --name s2 --network net --dns 9.9.9.9 sleep 1000
  h1 berth exec s1 sh -c 'echo 10.0.0.1 mine >> /etc/hosts; echo nameserver 10.0.0.53 > /etc/resolv.conf'
  h1 berth network connect other s1
  [ "$(lines s1)" = $'10.1.0.2\tbox\n10.2.0.2\tbox\n10.0.0.1 mine' ]
  h1 berth network disconnect net s1
  h1 berth network connect dual s1
  [[ $(lines s1) == $'10.2.0.2\tbox\n10.3.0.2\tbox\nfd'*$'\tbox\n10.0.0.1 mine' ]]
  [ "$(h1 berth exec s1 cat /etc/resolv.conf)" = "nameserver 10.0.0.53" ]
  run h1 berth system reconcile
  [[ $output != *hosts* ]]
  h1 berth rm -f s1 s2
  h1 berth network rm dual
}

@test "reconcile writes a hosts file that went wrong again" {
  h1 berth run -d --name s1 --hostname box --network net sleep 1000
  h1 sh -c ": > $(inspect s1 '.[0].HostsPath')"
  run h1 berth system reconcile
  [[ $output == *"s1: its hosts file is written again"* ]]
  [ "$(lines s1)" = $'10.1.0.2\tbox' ]
}
