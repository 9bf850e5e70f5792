# Shared by the scripts: sourced, not run. The caller has set `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target_dir=${CARGO_TARGET_DIR:-$root/target}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Whether this run may install packages: it was asked to, or it is an automated build; and it is root.
may_install() {
    [[ $(id -u) -eq 0 && ( ${CI:-} == true || ${install:-no} == yes ) ]]
}

# ensure_apt PACKAGE...: installs the Debian packages that are missing, or says which they are.
ensure_apt() {
    local missing=() package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    may_install || die "missing Debian packages: ${missing[*]} (apt-get install ${missing[*]}, or run as root with --install)"
    echo "installing ${missing[*]}" >&2
    apt-get update -qq </dev/null >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >&2
}
