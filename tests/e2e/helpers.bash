# Shared by the end-to-end tests: a lab of two hosts per file, and words for acting on them.

lab_up() {
  export BERTH_ROOT=$BATS_FILE_TMPDIR/root BERTH_RUN=$BATS_FILE_TMPDIR/run
  berth lab up --hosts "${1:-2}" t >&2
}
lab_down() {
  berth lab down t >&2
}

# Runs a command on a host of the lab.
h1() { berth lab exec t/h1 -- "$@"; }
h2() { berth lab exec t/h2 -- "$@"; }

# The address of a host of the lab.
address_of() {
  berth lab exec "t/$1" -- ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/'
}

# Everything of the kernel that berth could have changed on host h1, in a form that can be compared:
# without what comes and goes with a carrier.
snapshot() {
  h1 sh -c 'ip -br link | sed "s/@[^ ]*//" | awk "{print \$1, \$3}"; ip -4 -o addr
    ip route | sed "s/ linkdown//"; nft list ruleset; cat /proc/sys/net/ipv4/ip_forward'
}

# Serves one page on port $2 inside container $1 of h1.
serve() {
  h1 berth exec -d "$1" -- sh -c "mkdir -p /tmp/$1-www && echo 'hello from $1' > /tmp/$1-www/index.html &&
    exec busybox httpd -f -p $2 -h /tmp/$1-www"
  for _ in $(seq 50); do
    h1 berth exec "$1" -- curl -s -o /dev/null "http://127.0.0.1:$2/" && return 0
    sleep 0.05
  done
  return 1
}

fetch() { # host url: the page, or failure within 2 seconds
  berth lab exec "t/$1" -- curl -sS -m 2 "$2"
}

# The field of an inspected container: inspect NAME '.[0].State.Pid'
inspect() {
  h1 berth inspect "$1" | jq -r "$2"
}

# Expects that berth refuses on h1, in a line that has all the words.
refused() { # words... -- berth arguments
  local words=()
  while [[ $1 != -- ]]; do words+=("$1") && shift; done
  shift
  run h1 berth "$@"
  [ "$status" -ne 0 ]
  for word in "${words[@]}"; do
    [[ $output == *"$word"* ]] || { echo "no '$word' in: $output" && return 1; }
  done
}
