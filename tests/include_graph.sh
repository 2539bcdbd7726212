#!/usr/bin/env bash
# Who may include whom: every #include "folder/..." of src and apps against docs/architecture.md's table.
# Tests may include what they like. Prints the offending lines; exit 1 if there are any.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A may=(
  [base]="berth"
  [model]="berth base"
  [ipam]="berth base"
  [kernel]="berth base"
  [store]="berth base"
  [sandbox]="berth base"
  [runtimes]="berth base"
  [translator]="berth base kernel"
  [firewall]="berth base kernel translator"
  [dhcp]="berth base kernel"
  [plan]="berth base model kernel dhcp firewall translator"
  [drivers]="berth base model plan"
  [engine]="berth base model ipam kernel store sandbox runtimes translator dhcp firewall plan drivers"
  [lab]="berth base kernel sandbox engine"
  [frontends]="berth base sandbox lab"
  [apps]="berth base sandbox frontends"
)

bad=0
while IFS=: read -r file line text; do
  case $file in *_test.cc | *_for_test.h) continue ;; esac
  folder=${file#src/}
  folder=${folder%%/*}
  target=$(sed -E 's/.*"([^"]*)".*/\1/' <<<"$text")
  target=${target%%/*}
  [[ $target == "$folder" ]] && continue
  allowed=" ${may[$folder]:-} "
  if [[ $allowed != *" $target "* ]]; then
    echo "$file:$line: $folder may not include $target"
    bad=1
  fi
done < <(grep -rnE '^#include "' src apps --include='*.h' --include='*.cc')

# Inside of the engine: change/ knows operations and keys alone, and a folder of use cases is entered by
# the header of its name (engine/networks/networks.h); the headers named here are shared as well.
declare -A shared=(
  [change]="*" [state]="*" [host]="*"
  [networks]="networks.h claim.h existing_bridge.h parents.h"
  [endpoints]="endpoints.h dhcp.h default_route.h routes.h segment.h links.h"
  [ports]="ports.h publish.h roaming.h"
  [sandboxes]="sandboxes.h files.h modes.h"
  [targets]="targets.h find_netns.h"
  [repair]="repair.h renamed.h"
)
while IFS=: read -r file line text; do
  case $file in *_test.cc | src/engine/*.cc) [[ $file != src/engine/*/* ]] && continue ;; esac
  [[ $file == *_test.cc ]] && continue
  from=${file#src/engine/}
  from=${from%%/*}
  target=$(sed -E 's/.*"engine\/([^"]*)".*/\1/' <<<"$text")
  to=${target%%/*}
  [[ $to == "$target" || $to == "$from" ]] && continue
  if [[ $from == change && $to != change ]]; then
    echo "$file:$line: engine/change may not include engine/$target"
    bad=1
  fi
  allowed=${shared[$to]:-}
  if [[ $allowed != "*" && " $allowed " != *" ${target##*/} "* ]]; then
    echo "$file:$line: engine/$target is internal to engine/$to"
    bad=1
  fi
done < <(grep -rnE '^#include "engine/' src/engine --include='*.h' --include='*.cc')

# setns and unshare are each called where the architecture says, and nowhere else.
while IFS=: read -r file _; do
  case $file in src/kernel/netns/netns.cc | src/sandbox/exec.cc | src/sandbox/own_files.cc | src/sandbox/shim/*) continue ;; esac
  echo "$file: calls setns() or unshare()"
  bad=1
done < <(grep -rnE '(^|[^_a-z.])(setns|unshare)\(' src apps --include='*.cc' | grep -vE '_test\.cc|//.*(setns|unshare)\(')

[[ $bad == 0 ]] && echo "include graph: as it should be"
exit $bad
