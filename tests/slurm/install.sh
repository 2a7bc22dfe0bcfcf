#!/bin/sh
# Installs a real SLURM for the tests, as root on Debian or Ubuntu; starts no service.
# Elsewhere it prints one line and succeeds, and the tests marked `slurm` skip.
# With FUNDIFF_REQUIRE_SLURM=1 whatever stops the installation is a failure.
set -u

packages="slurm-wlm slurmdbd munge mariadb-server"
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
policy_saved=

give_up() {
    echo "no SLURM for the tests: $1"
    [ "${FUNDIFF_REQUIRE_SLURM:-}" != 1 ]
    exit
}

installed() {
    for command in slurmctld slurmd slurmdbd sacctmgr munged mariadbd mariadb-install-db; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null || return 1
    done
}

restore() {
    rm -f "$log"
    [ -n "$policy_saved" ] || return 0
    rm -f "$policy"
    [ ! -e "$policy_saved/policy-rc.d" ] || mv "$policy_saved/policy-rc.d" "$policy"
    rmdir "$policy_saved"
}
trap restore EXIT
trap 'exit 1' HUP INT TERM

if installed; then exit 0; fi
[ "$(id -u)" = 0 ] || give_up "installing it needs root"
command -v apt-get >/dev/null || give_up "this is neither Debian nor Ubuntu"

# While packages are configured, policy-rc.d keeps their services from starting.
policy_saved=$(mktemp -d)
[ ! -e "$policy" ] || mv "$policy" "$policy_saved/policy-rc.d"
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
install_packages() {
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $packages </dev/null >"$log" 2>&1
}
# The lists on the machine may be absent or stale, so fetch them when they do not do.
install_packages || { apt-get update -qq >"$log" 2>&1 && install_packages; } ||
    give_up "apt-get failed: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
installed || give_up "the packages $packages lack a command that the tests need"
