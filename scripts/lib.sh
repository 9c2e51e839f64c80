# Shared by the scripts: messages, and what must be installed. Source it; not executable.

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') red=$(printf '\033[31m') plain=$(printf '\033[0m')
else
    bold='' red='' plain=''
fi

say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*" >&2; }
die() { printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2; exit 1; }

# Where cargo puts things.
target=${CARGO_TARGET_DIR:-$PWD/target}

# need_packages PACKAGE:COMMAND... installs the packages whose command is missing, or says which.
need_packages() {
    missing=''
    for pair in "$@"; do
        command -v "${pair#*:}" >/dev/null 2>&1 || missing="$missing ${pair%%:*}"
    done
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086 # a list of words
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing$missing"
        apt-get update -qq >&2 || die "apt-get update failed"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 ||
            die "apt-get install$missing failed"
    else
        die "please install:$missing (on Debian: sudo apt-get install$missing)"
    fi
}

# need_rust checks for cargo and the oldest version that can build this.
need_rust() {
    command -v cargo >/dev/null 2>&1 || die "cargo is missing; install Rust with rustup"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d' ' -f2)
    oldest=$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)
    [ "$oldest" = "$wanted" ] || die "Rust $wanted or later is needed, this is $found; run: rustup update"
    need_packages gcc:cc
}
