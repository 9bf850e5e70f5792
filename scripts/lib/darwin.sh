# How the crate is built for macOS on arm64 on a Debian machine: sourced after common.sh, not run.
#
# The standard library for that target is built from source by Debian's own compiler (rustc-web, cargo-web and
# rust-web-src, all of one version, beside any rustup toolchain), and the linker is the one that comes with Zig, which
# carries libSystem's stubs. All output goes to a target directory of its own.

zig_version=0.17.0
darwin_triple=aarch64-apple-darwin
# The oldest release that runs on such a machine. A linker left to itself would write its own SDK's.
darwin_minimum=11.0
darwin_build=$target_dir/darwin
darwin_tools=$darwin_build/tools

# zig_release VERSION FOLDER: that release of Zig in that folder, from the Python package index. A folder of its own: no
# package of this machine changes, so this needs no permission.
zig_release() {
    [[ -x $2/ziglang/zig ]] && return
    python3 -m pip --version >/dev/null 2>&1 || ensure_apt python3-pip
    python3 -m pip install --quiet --no-input --target "$2" "ziglang==$1" </dev/null
}

# Sets the environment in which `/usr/bin/cargo` builds for macOS. Changes the current folder to the root.
darwin_environment() {
    ensure_apt "$@" rustc-web cargo-web rust-web-src
    local versions
    versions=$(dpkg-query -W -f '${Version}\n' rustc-web cargo-web rust-web-src | sort -u)
    [[ $(wc -l <<<"$versions") -eq 1 ]] ||
        die "rustc-web, cargo-web and rust-web-src differ in version; upgrade all three together"
    mkdir -p "$darwin_tools"
    zig_release "$zig_version" "$darwin_tools"

    # rustc passes two things that Zig's compiler driver does not take: the architecture, which the target already says,
    # and libiconv, which is part of libSystem.
    local linker=$darwin_tools/link-$darwin_triple new
    new=$(mktemp "$linker.XXXXXX")
    cat >"$new" <<SCRIPT
#!/usr/bin/env bash
kept=()
while [[ \$# -gt 0 ]]; do
    case \$1 in
        -arch) shift ;;
        -liconv) ;;
        *) kept+=("\$1") ;;
    esac
    shift
done
exec '$darwin_tools/ziglang/zig' cc -target aarch64-macos.$darwin_minimum "\${kept[@]}"
SCRIPT
    chmod +x "$new"
    mv "$new" "$linker"

    cd "$root"
    # RUSTUP_TOOLCHAIN and a wrapper set by the caller would lead back to the other compiler.
    unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_TARGET
    export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
    export PATH=/usr/bin:/bin:$PATH
    export CARGO_TARGET_DIR=$darwin_build
    export CARGO_TARGET_AARCH64_APPLE_DARWIN_LINKER=$linker
    export ZIG_GLOBAL_CACHE_DIR=$darwin_tools/zig-cache ZIG_LOCAL_CACHE_DIR=$darwin_tools/zig-cache
    # Stripping needs a tool that is not here.
    export RUSTFLAGS=-Cstrip=none
    export MACOSX_DEPLOYMENT_TARGET=$darwin_minimum
}

# Builds the optimised executable, checks its form, and prints its path. After darwin_environment.
#
# The profile `release` also where it is shipped, without optimisation between crates: what people get is what the double
# runs, and lines can be told only of objects that hold code. Line tables stay in the objects; the executable has none.
darwin_executable() {
    local executable=$darwin_build/$darwin_triple/release/sandproof
    CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_SPLIT_DEBUGINFO=unpacked \
        /usr/bin/cargo build -Zbuild-std=std,panic_abort --target "$darwin_triple" --locked --release --bin sandproof >&2
    python3 "$root/scripts/lib/macho.py" check "$executable" --minimum "$darwin_minimum" >&2
    printf '%s\n' "$executable"
}

# The text stub of libSystem in the SDK of macOS 14.0, the release before the home baseline's: an older Zig carries it.
darwin_sdk_14=$darwin_tools/sdk-14.0/libSystem.tbd
ensure_sdk_14() {
    [[ -f $darwin_sdk_14 ]] && return
    python3 -m pip --version >/dev/null 2>&1 || ensure_apt python3-pip
    local folder
    folder=$(mktemp -d "$darwin_tools/wheel.XXXXXX")
    # Two files of it are wanted, so the wheel is not installed.
    python3 -m pip download --quiet --no-input --no-deps --dest "$folder" ziglang==0.13.0.post1 </dev/null
    python3 - "$folder" <<'PYTHON'
import json, pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
    version = json.loads(wheel.read("ziglang/lib/libc/darwin/SDKSettings.json"))["MinimalDisplayName"]
    if version != "14.0":
        sys.exit(f"the stub is that of SDK {version}, not of 14.0")
    (folder / "libSystem.tbd").write_bytes(wheel.read("ziglang/lib/libc/darwin/libSystem.tbd"))
PYTHON
    mkdir -p "${darwin_sdk_14%/*}"
    mv "$folder/libSystem.tbd" "$darwin_sdk_14"
    rm -rf "$folder"
}
