#!/bin/sh
# bench_peers.sh - lory bench beside other engines' llama-bench, in turn, on the same files.
#
#     tools/bench_peers.sh [-p 512] [-n 64] [-t 4] [-r 5] -m MODEL.gguf [-m ...] [NAME=]LLAMA_BENCH ...
#
# Each round runs lory, then every peer, once; a machine that drifts drifts for all of them. Prints
# the medians in tokens a second and, round by round, the median of the ratio lory / peer. Builds
# nothing: LLAMA_BENCH is a program that is there. $LORY is the lory to run (./lory by default).
set -eu
n_prompt=512 n_gen=64 n_threads=$(nproc) n_rounds=5 models=
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
while getopts p:n:t:r:m: option; do
    case $option in
    p) n_prompt=$OPTARG ;;
    n) n_gen=$OPTARG ;;
    t) n_threads=$OPTARG ;;
    r) n_rounds=$OPTARG ;;
    m) models="$models $OPTARG" ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] && [ -n "$models" ] || usage
lory=${LORY:-./lory}
log=$(mktemp) && trap 'rm -f "$log"' EXIT

# "ROUND NAME prompt|gen TOKENS_PER_S" of one run; both programs write one JSON value or key a line,
# or one object a line.
rates() { # ROUND NAME KEY < json
    tr ',{}' '\n\n\n' | awk -v round="$1" -v name="$2" -v key="\"$3\"" '
        { split($0, pair, ":"); gsub(/[ \t]/, "", pair[1]) }
        pair[1] == "\"n_prompt\"" { is_prompt = pair[2] + 0 > 0 }
        pair[1] == key { print round, name, is_prompt ? "prompt" : "gen", pair[2] + 0 }'
}

for model in $models; do
    : > "$log"
    round=1
    while [ "$round" -le "$n_rounds" ]; do
        "$lory" bench -m "$model" -p "$n_prompt" -n "$n_gen" -t "$n_threads" -r 1 --json |
            rates $round lory tokens_per_s_median >> "$log"
        for peer in "$@"; do
            "${peer#*=}" -m "$model" -p "$n_prompt" -n "$n_gen" -t "$n_threads" -r 1 -o json 2> /dev/null |
                rates $round "${peer%%=*}" avg_ts >> "$log"
        done
        round=$((round + 1))
    done
    echo "$model, $n_threads threads, prompt $n_prompt, generation $n_gen, $n_rounds rounds"
    sort -k2,2 -k3,3 -k4,4n "$log" | awk '
        function median(v, n) { return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
        function sort_up(v, n,    i, j, t) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        }
        { speed[$2, $3, $1] = $4; if ($1 > n_round) n_round = $1; if (!seen[$2]++) names[++n_name] = $2 }
        END {
            printf "%-24s %12s %8s %12s %8s\n", "", "prompt t/s", "ratio", "gen t/s", "ratio"
            for (i = 1; i <= n_name; i++) {
                printf "%-24s", substr(names[i], length(names[i]) > 24 ? length(names[i]) - 23 : 1)
                for (k = 1; k <= 2; k++) {
                    kind = k == 1 ? "prompt" : "gen"
                    n = 0
                    for (r = 1; r <= n_round; r++)
                        if ((names[i], kind, r) in speed) {
                            v[++n] = speed[names[i], kind, r]
                            ratio[n] = speed["lory", kind, r] / v[n]
                        }
                    if (n == 0) { printf " %12s %8s", "-", "-"; continue }
                    sort_up(v, n); sort_up(ratio, n)
                    printf " %12.1f %8.2f", median(v, n), median(ratio, n)
                }
                print ""
            }
        }'
done
