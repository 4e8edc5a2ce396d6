#!/bin/sh
# Which lines of both planes the simulation does not reach: builds it with counters in a target folder of its own, runs
# seeds, the full cluster and the warp, and lists files by lines that no run came to.
#
#   unreached.sh [SEEDS [FULL]]      400 small seeds and 10 of the full cluster unless told otherwise
#
# Needs llvm-profdata and llvm-cov of the compiler's LLVM (rustup component add llvm-tools, or a distribution's llvm-22 for
# Rust 1.95), in LLVM_BIN or on the PATH.
set -eu
cd "$(dirname "$0")/../.."
seeds=${1:-400} full=${2:-10}
bin=${LLVM_BIN:+$LLVM_BIN/}
target=${CARGO_TARGET_DIR:-target/unreached}
counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT

cat > "$counts/rustc" <<'EOF'
#!/bin/sh
rustc=$1
shift
case " $* " in
*proc-macro*|*build_script*) exec "$rustc" "$@" ;;
esac
exec "$rustc" "$@" -C instrument-coverage
EOF
chmod +x "$counts/rustc"
# Of the workspace's own crates alone: dependencies stay as they are. Build scripts leave no counts behind.
LLVM_PROFILE_FILE=/dev/null CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$target RUSTC_WORKSPACE_WRAPPER=$counts/rustc \
    cargo build --workspace --locked --bin railgun-sim

# Worlds are processes of their own, which add up in two files.
export LLVM_PROFILE_FILE="$counts/world-%2m.profraw"
"$target/debug/railgun-sim" --interleavings --warp 3 --seeds "$seeds" --twice 0 --no-shrink || true
"$target/debug/railgun-sim" --full --seeds "$full" --twice 0 --no-shrink || true

"${bin}llvm-profdata" merge -sparse "$counts"/*.profraw -o "$counts/all.profdata"
"${bin}llvm-cov" export -summary-only -instr-profile="$counts/all.profdata" "$target/debug/railgun-sim" > "$counts/all.json"
node tests/simulation/unreached.mjs "$counts/all.json" "$PWD"
