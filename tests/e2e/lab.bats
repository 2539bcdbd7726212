#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The plans of labs: the printed commands make and remove what berth does.

setup() {
  export BERTH_ROOT=$BATS_TEST_TMPDIR/root BERTH_RUN=$BATS_TEST_TMPDIR/run
}

# All of a lab that its commands could have made otherwise.
look() {
  local place
  for place in switch h1 h2; do
    echo "== $place"
    berth lab exec "$1/$place" -- sh -ec 'ip -d -o link | sed -E "s/@if[0-9]+/@if/; s/[a-z_]*_timer +[0-9.]+//g; /: h[0-9]/s/ether [^ ]+//"
      ip -o addr | sed -E "s/inet6 .*//"; ip route; sysctl net.ipv4.ip_forward; env | grep BERTH'
  done | sed "s,/$1/,/LAB/,"
  (cd "$BERTH_RUN/labs/$1" && find . -printf '%p %M\n' | sort)
  sed "s/\"$1\"/LAB/" "$BERTH_RUN/labs/$1/lab.json"
}

@test "plan lab up and lab down print commands that do the same" {
  run berth plan lab up planned
  [ "$status" -eq 0 ]
  [ ! -e "$BERTH_RUN/labs" ]
  sh -e <<<"$output"
  berth lab up real
  diff <(look planned) <(look real)
  berth lab exec planned/h1 -- ping -c1 -W2 192.0.2.12
  [ "$(berth lab ls --format '{{.Name}} {{.Status}}')" = $'planned up\nreal up' ]

  berth lab exec planned/h1 -- berth run -d --name busy -- sleep 4322
  berth lab exec planned/h2 -- sh -c 'sleep 4322 >/dev/null 2>&1 & berth lab up inner >/dev/null'
  run berth plan lab down planned
  [ "$status" -eq 0 ]
  [ "$(berth lab ls -q | wc -l)" -eq 2 ]
  sh -e <<<"$output"
  [ "$(berth lab ls -q)" = real ]
  [ ! -e "$BERTH_RUN/labs/planned" ]
  run pgrep -f '^sleep 4322'
  [ "$status" -eq 1 ]
  berth lab down real
}

@test "a lab's plan is refused as the lab is" {
  berth lab up taken
  run berth plan lab up taken
  [ "$status" -eq 1 ]
  [[ $output == *"'taken' is there already"* ]]
  run berth plan lab up --hosts 0 x
  [ "$status" -eq 1 ]
  run berth lab down --dry-run nosuch
  [ "$status" -eq 1 ]
  run berth plan --format json lab down taken
  [ "$status" -eq 1 ]
  [[ $output == *"commands only"* ]]
  berth lab down taken
}

@test "nothing is left of the instance after its last lab and a reset" {
  berth lab up last
  berth lab down last
  berth system reset -f
  [ ! -e "$BERTH_RUN" ]
}
