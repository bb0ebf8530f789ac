#!/bin/sh
# bench_memory.sh - the memory that lory inspect foretells beside the peak that a run reaches which
# fills the context, for several batch sizes and cache types.
#
#     tools/bench_memory.sh [-c N] MODEL.gguf ...     -c 512, LORY=./lory and THREADS=2 by default
#
# On a crowded machine lory works with fewer threads than it may, and touches less.
# One line a run: model, context, batch, cache type, threads, MB foretold, MB at most, the error in
# %.
set -eu
lory=${LORY:-./lory} threads=${THREADS:-2} ctx=512
[ "${1-}" = -c ] && { ctx=$2; shift 2; }
[ $# -gt 0 ] || { echo "usage: $0 [-c N] MODEL.gguf ..." >&2; exit 2; }

words() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf " time" }'; }
count() { words "$2" | "$lory" tokenize -m "$1" | tr -cd , | wc -c; }
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }

run() { # model, words, batch, cache type, threads
    set -- "$1" "$2" -c "$ctx" -b "$3" --cache-type "$4" -t "$5"
    model=$1 n=$2
    shift 2
    plan=$("$lory" inspect "$model" --json "$@" | number total_bytes)
    [ -n "$plan" ] || { echo "$model: no plan for $*" >&2; return; }
    peak=$(words "$n" | "$lory" run -m "$model" -n -1 --ignore-eos --temp 0 --stats=json "$@" 2>&1 >/dev/null |
           number peak_memory_bytes)
    awk -v m="${model##*/}" -v o="$*" -v a="$plan" -v b="$peak" \
        'BEGIN { printf "%s %s: %.1f MB foretold, %.1f MB at most, %+.1f %%\n", m, o, a / 1e6, b / 1e6, 100 * (a / b - 1) }'
}

for m in "$@"; do
    ten=$(count "$m" 10) each=$(($(count "$m" 20) - ten))
    n=$(((ctx - 8) * 10 / each))
    run "$m" $n 512 f16 "$threads"
    run "$m" $n 512 q8_0 "$threads"
    run "$m" $n 64 f32 "$threads"
    run "$m" $n 8 f16 1
done
