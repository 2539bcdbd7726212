#!/usr/bin/env bash
# Runs the end-to-end tests (bats) in network, mount and PID namespaces of their own: nothing of the host
# is seen or changed, and nothing outlives them. BERTH_BIN: the directory of berth and berth-shim.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export BERTH_BIN=${BERTH_BIN:?the directory of the berth program}
export PATH=$BERTH_BIN:$PATH
if [[ $(id -u) != 0 ]]; then
  echo "SKIPPED: the end-to-end tests need root (they run containers with namespaces of all kinds)"
  exit 77
fi
exec unshare --net --mount --pid --fork --mount-proc --propagation private bash -c '
  mount -t tmpfs tmpfs /run && ip link set lo up && exec bats "$@"' _ "${@:-.}"
