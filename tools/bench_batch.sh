#!/bin/sh
# bench_batch.sh [SHAPE [LINES [OPTIONS]]] - tokens generated a second by lory batch at --parallel 1
# and 32: LINES prompts (256) of about 200 tokens in common and a few of their own, 64 tokens
# each, on a Q8_0 model of random weights (SHAPE of make_model: 135m). --parallel 1 takes an eighth
# of the lines. Three rounds of both; the one with the median ratio is printed.
set -eu
shape=${1:-135m} n=${2:-256}
[ $# -lt 2 ] || shift
[ $# -lt 1 ] || shift
top=$(dirname "$0")/.. dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
make -s -C "$top" lory tools
"$top/build/release/tools/make_model" --shape "$shape" --type q8_0 -o "$dir/model.gguf" 2> /dev/null
prefix=$(seq 170 | awk '{ printf "%c%c ", 97 + $1 * 7 % 23, 97 + $1 * 5 % 19 }')
seq "$n" | awk -v p="$prefix" '{ printf "{\"prompt\": \"%s number %d\", \"max_tokens\": 64, \"ignore_eos\": true}\n", p, $1 }' > "$dir/in"
head -n $((n / 8)) "$dir/in" > "$dir/some"
speed() { # INPUT PARALLEL OPTIONS
    in=$1 parallel=$2
    shift 2
    "$top/lory" batch -m "$dir/model.gguf" -i "$in" -o "$dir/out" --parallel "$parallel" --stats=json "$@" 2>&1 |
        sed -n 's/.*"generated_tokens_per_s":\([0-9.]*\).*/\1/p'
}
sync # the model just written goes to disk now, not while --parallel 1 reads it
for round in 1 2 3; do
    one=$(speed "$dir/some" 1 "$@")
    many=$(speed "$dir/in" 32 "$@")
    echo "$one $many"
done | awk '{ print $2 / $1, $0 }' | sort -n | awk '
    { ratios = ratios sprintf(" %.2f", $1) }
    NR == 2 { printf "--parallel 1: %.1f tok/s, 32: %.1f tok/s, ratio %.2f", $2, $3, $1 }
    END { print " (of" ratios ")" }'
