#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# run -t and exec -t: a terminal of its own in the foreground. script(1) is the caller's terminal.

load helpers

setup_file() {
  lab_up 1
  h1 berth network create --subnet 10.1.0.0/24 net
  h1 berth run -d --name s1 --network net -- sleep 1000
}
teardown_file() { lab_down; }

# What is typed goes to descriptor 7.
setup() {
  mkfifo "$BATS_TEST_TMPDIR/keys"
  exec 7<>"$BATS_TEST_TMPDIR/keys"
}

# Runs a script in a terminal of 100 columns and 40 rows; what the terminal showed is the output.
in_terminal() {
  cat >"$BATS_TEST_TMPDIR/script" <<<"stty rows 40 cols 100; $1"
  (
    set -o pipefail
    script --quiet --return --command "bash $BATS_TEST_TMPDIR/script" /dev/null <&7 | tr -d '\r'
  )
}

# Waits until the file is there, and shows it.
await() {
  for _ in $(seq 100); do
    [[ -s $1 ]] && cat "$1" && return 0
    sleep 0.05
  done
  return 1
}

h1_berth='berth lab exec t/h1 -- berth'

@test "run -it: a pseudo-terminal of the caller's size, which is the controlling one" {
  run in_terminal "tty; $h1_berth run -it --rm --network net -- sh -c 'tty; stty size; ps -o tty= -p 1'"
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == /dev/pts/* && ${lines[1]} == /dev/pts/* && ${lines[0]} != "${lines[1]}" ]]
  [ "${lines[2]}" = "40 100" ]
  [ "/dev/${lines[3]}" = "${lines[1]}" ]
}

@test "run -it: keys, Ctrl-C and the exit code go through" {
  in_terminal "$h1_berth run -it --rm --network net -- \
    bash -c 'trap \"echo interrupted; exit 9\" INT; echo ready >$BATS_TEST_TMPDIR/ready; read -r x
      echo \"read \$x\" >$BATS_TEST_TMPDIR/read; while :; do sleep 0.1; done'; echo \"code \$?\"" >"$BATS_TEST_TMPDIR/screen" &
  await "$BATS_TEST_TMPDIR/ready"
  printf 'hello\n' >&7
  [ "$(await "$BATS_TEST_TMPDIR/read")" = "read hello" ]
  printf '\003' >&7
  wait $!
  grep -q interrupted "$BATS_TEST_TMPDIR/screen"
  grep -q 'code 9' "$BATS_TEST_TMPDIR/screen"
}

@test "Ctrl-C ends what does not handle it, and 130 is its exit code everywhere" {
  local dir=$BATS_TEST_TMPDIR mode
  for mode in '' -it; do
    rm -f "$dir"/{up,code}
    in_terminal "$h1_berth run $mode --name ends --network net -- \
      sh -c 'echo up >$dir/up; exec sleep 1000'; echo \$? >$dir/code" &
    await "$dir/up"
    sleep 0.2
    printf '\003' >&7
    wait $! || true
    [ "$(cat "$dir/code")" = 130 ]
    [ "$(h1 berth inspect ends | jq '.[0].State.ExitCode')" = 130 ]
    [[ $(h1 berth ps -a --filter name=ends) == *"Exited (130)"* ]]
    h1 berth rm ends
  done
}

@test "the window's size is passed on when it changes" {
  local dir=$BATS_TEST_TMPDIR
  in_terminal "tty >$dir/tty; $h1_berth run -it --rm --network net -- \
    bash -c 'trap \"stty size >$dir/size\" WINCH; echo ready >$dir/ready
      until [[ -s $dir/size ]]; do sleep 0.1; done'" &
  await "$dir/ready"
  stty -F "$(cat "$dir/tty")" rows 33 cols 77
  [ "$(await "$dir/size")" = "33 77" ]
  wait $!
}

@test "the caller's terminal is raw meanwhile and gets its settings back, whatever ended the command" {
  local dir=$BATS_TEST_TMPDIR end
  for end in 'exit 0' 'kill -9 $$' 'echo up >'"$dir"'/up; exec sleep 1000'; do
    rm -f "$dir"/{tty,up,before,after}
    in_terminal "stty -g >$dir/before; tty >$dir/tty
      $h1_berth run -it --rm --name ends --network net -- bash -c '$end'
      stty -g >$dir/after" &
    if [[ $end == *up* ]]; then
      await "$dir/up"
      [[ $(stty -a -F "$(cat "$dir/tty")") == *-icanon*-echo* ]]
      # berth itself is asked to end: the third time it gives the command up.
      for _ in 1 2 3; do pkill -TERM -f "^berth run -it --rm --name ends" && sleep 0.1; done
    fi
    wait $! || true
    [ "$(cat "$dir/before")" = "$(cat "$dir/after")" ]
  done
  [ -z "$(h1 berth ps -aq --filter name=ends)" ]
}

@test "a command that closes its terminal is waited for; all that it wrote is shown" {
  run in_terminal "$h1_berth run -it --rm --network net -- bash -c \
    'exec >/dev/null 2>&1 </dev/null; sleep 0.3; seq 2000 >/dev/tty'"
  [ "${#lines[@]}" -eq 2000 ]
  [ "${lines[1999]}" = 2000 ]
}

@test "-t without -i: output only, and the caller's input is left alone" {
  run bash -c "printf 'mine\n' | { berth lab exec t/h1 -- berth run -t --rm --network net -- tty; cat; }"
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == /dev/pts/* ]]
  [ "${lines[1]}" = mine ]
  # A reader that goes takes the terminal with it.
  run timeout 10 bash -c "berth lab exec t/h1 -- berth run -t --rm --network net -- yes | head -n 1"
  [ "$status" -eq 0 ]
}

@test "-it needs a terminal" {
  run bash -c "echo x | berth lab exec t/h1 -- berth run -it --rm --network net -- cat"
  [ "$status" -eq 125 ]
  [[ $output == *"--interactive and --tty"*"not a terminal"* ]]
  run bash -c "echo x | berth lab exec t/h1 -- berth exec -it s1 cat"
  [ "$status" -eq 125 ]
}

@test "exec -it: a terminal with a name in the sandbox, also in a root file system of its own" {
  run in_terminal "$h1_berth exec -it s1 sh -c 'tty; stty size; exit 4'"
  [ "$status" -eq 4 ]
  [[ ${lines[0]} == /dev/pts/* ]]
  [ "${lines[1]}" = "40 100" ]
  local root=$BATS_TEST_TMPDIR/rootfs
  mkdir -p "$root/bin"
  cp "$(command -v busybox)" "$root/bin/"
  h1 berth run -d --name rooted --rootfs "$root" --network net -- /bin/busybox sleep 1000
  run in_terminal "$h1_berth exec -it rooted /bin/busybox tty"
  [ "$output" = /dev/pts/0 ]
  h1 berth rm -f rooted
  h1 berth sandbox create bare
  run in_terminal "$h1_berth exec -it bare tty"
  [[ $output == /dev/pts/* ]]
  h1 berth rm bare
}
