#!/usr/bin/env bats
# Hosts that are set up otherwise than most: what berth does there, and what docs/kernel-objects.md says.

load helpers

setup_file() { lab_up 2; }
teardown_file() { lab_down; }

teardown() {
  h1 berth rm -f web >&2 || true
  h1 sysctl -qw net.ipv6.conf.all.disable_ipv6=0 # new devices' as well
}

run_web() { # options...
  h1 berth run -d --name web "$@" -- sleep 1000
  serve web 80
}

# First, since the translator is made only once.
@test "a port is published on IPv6 too where new devices have none" {
  h1 sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  run_web -p 8080:80
  [ "$(fetch h2 "http://$(address_of h1):8080/")" = "hello from web" ]
  h1 ip link show berth64 || skip "SKIPPED: this kernel has no translator"
  [ "$(fetch h1 "http://[::1]:8080/")" = "hello from web" ]
}

@test "a host that routes by source address reaches its own port with the rule that the docs give" {
  local own; own=$(address_of h1)
  run_web -p 8080:80
  h1 ip route add default via "$(address_of h2)" table 100
  h1 ip rule add from "$own" lookup 100
  run fetch h1 "http://$own:8080/"
  [ "$status" -ne 0 ]
  [ "$(fetch h2 "http://$own:8080/")" = "hello from web" ]
  [ "$(fetch h1 "http://127.0.0.1:8080/")" = "hello from web" ]
  h1 ip rule add to 172.16.0.0/12 lookup main priority 100
  [ "$(fetch h1 "http://$own:8080/")" = "hello from web" ]
  h1 ip rule del priority 100
  h1 ip rule del from "$own" lookup 100
  h1 ip route flush table 100
}

@test "a port is published where IPv6 is switched off for all devices" {
  h1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
  run_web -p 8080:80
  [ "$(fetch h2 "http://$(address_of h1):8080/")" = "hello from web" ]
  [ "$(fetch h1 "http://127.0.0.1:8080/")" = "hello from web" ]
  h1 berth rm -f web
  refused "publish on an IPv4 address" "IPv6 is switched off on this host" -- run -d -p '[::1]:8080:80' -- sleep 1000
}

# ipv6.disable=1 on its command line, as far as /proc shows it: what is hidden is that of one process.
without_ipv6() {
  h1 unshare -m sh -c 'mount -t tmpfs none /proc/sys/net/ipv6 && mount -t tmpfs none /proc/$$/net &&
    exec berth "$@"' sh "$@"
}

@test "a port is published where the kernel has no IPv6" {
  without_ipv6 run -d --name web -p 8080:80 -- sleep 1000
  serve web 80
  [ "$(fetch h2 "http://$(address_of h1):8080/")" = "hello from web" ]
  run without_ipv6 network create --ipv6 six
  [ "$status" -ne 0 ]
  [[ $output == *"the kernel has no IPv6"* ]]
}
