#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# docs/tutorial.md works as it is written there.

TUTORIAL=$BATS_TEST_DIRNAME/../../docs/tutorial.md

setup_file() {
  export BERTH_ROOT=$BATS_FILE_TMPDIR/root BERTH_RUN=$BATS_FILE_TMPDIR/run
}
teardown_file() { berth lab down demo 2>/dev/null || true; }

# What a reader types in one shell: the lines with that prompt, without comments.
@test "every command, in its shell" {
  berth lab up --hosts 2 demo
  # A server's port is open a moment after it is started; 'nothing answers' says what must fail.
  cat >"$BATS_TEST_TMPDIR/prelude" <<'SH'
set -e
curl() {
  for _ in $(seq 50); do command curl --silent --show-error "$@" && return 0; sleep 0.1; done
  return 1
}
SH
  local host='' line command script='' part=0
  run_part() {
    [[ -n $script ]] || return 0
    { cat "$BATS_TEST_TMPDIR/prelude" && echo "set -x$script"; } >"$BATS_TEST_TMPDIR/part"
    echo "== $host"
    berth lab exec "demo/$host" -- bash "$BATS_TEST_TMPDIR/part" </dev/null
    script='' part=$((part + 1))
  }
  while IFS= read -r line; do
    [[ $line == h[12]'# '* ]] || continue
    command=${line#h?# }
    [[ $command != exit ]] || continue
    [[ ${line:0:2} == "$host" ]] || run_part
    host=${line:0:2}
    [[ $command != *'# nothing answers'* ]] || command="! command ${command%%#*}"
    script+=$'\n'"$command"
  done <"$TUTORIAL"
  run_part
  ((part > 5))
  [[ $(berth lab exec demo/h1 -- nft list tables) == "" ]]
  berth lab down demo
}
