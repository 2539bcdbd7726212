# shellcheck shell=bash disable=SC2034
# The Debian 12 packages that berth needs, and how the scripts get them. To be sourced.

# To build the programs.
packages_build=(
  g++ cmake ninja-build ccache pkg-config
  gcc-bpf libmnl-dev libnftnl-dev libsqlite3-dev libfmt-dev libcli11-dev nlohmann-json3-dev
  libcurl4-openssl-dev
)
# To show what they do: the quickstart. netbase has /etc/protocols, by which nft lists protocols by name.
packages_run=(iproute2 nftables netbase iputils-ping busybox-static curl)
# To build and run the tests.
packages_test=(
  libgtest-dev librapidcheck-dev
  bats conntrack ethtool groff-base jq ncat procps python3 sqlite3
)
# To check the sources: scripts/lint, and with --tidy.
packages_lint=(clang-format-19 shellcheck)
packages_tidy=(clang-tidy-19)
# To make Debian packages: scripts/package.
packages_package=(dpkg-dev file)
# To run something as on a new machine: scripts/fresh.
packages_fresh=(debootstrap)

# The packages of the groups "$@" that are not installed, one a line.
missing_packages() {
  local group package status
  for group in "$@"; do
    local -n packages=packages_$group
    for package in "${packages[@]}"; do
      status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || true
      [[ $status == installed ]] || echo "$package"
    done
  done
}

# ensure_packages build|run|test...: installs what is missing of these groups, and nothing else.
ensure_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    echo "nothing to install"
    return
  fi
  if ((EUID != 0)); then
    echo "${0##*/}: only root can install what is missing: ${missing[*]}" >&2
    return 1
  fi
  echo "to install: ${missing[*]}"
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
}
