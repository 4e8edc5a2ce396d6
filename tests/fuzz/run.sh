#!/usr/bin/env bash
# Runs each fuzz target for so many seconds, or the named ones: run.sh SECONDS [TARGET...]
# A target that finds something ends the run; the input is in artifacts/.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?seconds for each target}
shift
if ! cargo +nightly fuzz --version > /dev/null 2>&1; then
    echo "this needs a nightly compiler and cargo-fuzz:" >&2
    echo "  rustup toolchain install nightly && cargo install cargo-fuzz --locked" >&2
    exit 1
fi
(cd ../.. && cargo run --quiet --locked --package railgun-corpus --example write_fuzz_seeds)
cargo +nightly fuzz build --fuzz-dir . --sanitizer none
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir .)
for target in "${targets[@]}"; do
    echo "== $target"
    mkdir -p "corpus/$target"
    cargo +nightly fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 \
        -verbosity=0
done
