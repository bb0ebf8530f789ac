#!/bin/sh
# bench_peers.sh - lory bench beside other engines' llama-bench, in turn, on the same files.
#
#     tools/bench_peers.sh [-p 512] [-n 64] [-t 4] [-r 5] -m MODEL.gguf [-m ...] [NAME=]LLAMA_BENCH ...
#     tools/bench_peers.sh -P 8,32 [-n 64] ... -m MODEL.gguf [-m ...] [NAME=]LLAMA_BATCHED_BENCH ...
#
# Each round runs lory and every peer once, in an order of its own: a machine that drifts, or rests
# between two, does so for all of them. Prints the medians in tokens a second and, round by round,
# the median of the ratio lory / peer. With -P it is generation of so many sequences at once, beside
# llama-batched-bench. Builds nothing: the programs are there. $LORY is the lory to run (./lory by
# default).
set -eu
n_prompt=512 n_gen=64 n_threads=$(nproc) n_rounds=5 models= parallel=
usage() { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
while getopts p:n:t:r:m:P: option; do
    case $option in
    p) n_prompt=$OPTARG ;;
    n) n_gen=$OPTARG ;;
    t) n_threads=$OPTARG ;;
    r) n_rounds=$OPTARG ;;
    m) models="$models $OPTARG" ;;
    P) parallel=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] && [ -n "$models" ] || usage
lory=${LORY:-./lory}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
log=$dir/rates

# "ROUND NAME prompt|gen TOKENS_PER_S" of one run; both programs write one JSON value or key a line,
# or one object a line.
rates() { # ROUND NAME KEY < json
    tr ',{}' '\n\n\n' | awk -v round="$1" -v name="$2" -v key="\"$3\"" '
        { split($0, pair, ":"); gsub(/[ \t]/, "", pair[1]) }
        pair[1] == "\"n_prompt\"" { is_prompt = pair[2] + 0 > 0 }
        pair[1] == key { print round, name, is_prompt ? "prompt" : "gen", pair[2] + 0 }'
}

# "ROUND NAME SEQUENCES TOKENS_PER_S" of lory's objects and of llama-batched-bench's table, whose
# third column is the sequences and whose eighth the generated tokens a second.
lory_batched() { # ROUND < json
    sed -n 's/.*"parallel": *\([0-9]*\).*"tokens_per_s_median": *\([0-9.]*\).*/'"$1"' lory \1 \2/p'
}
peer_batched() { # ROUND NAME < table
    awk -F '|' -v round="$1" -v name="$2" '$9 + 0 > 0 { print round, name, $4 + 0, $9 + 0 }'
}
most=$(echo "$parallel" | tr ',' '\n' | sort -n | tail -n 1)

run_lory() { # ROUND MODEL
    if [ -n "$parallel" ]; then
        "$lory" bench -m "$2" -p 0 -n "$n_gen" -t "$n_threads" -r 1 --parallel "$parallel" --json |
            lory_batched "$1"
    else
        "$lory" bench -m "$2" -p "$n_prompt" -n "$n_gen" -t "$n_threads" -r 1 --json |
            rates "$1" lory tokens_per_s_median
    fi
}

# Peers run in a folder of their own: some leave a log where they are.
absolute() { # PATH, or a command's name, which stays
    case $1 in /* ) echo "$1" ;; */* ) echo "$PWD/$1" ;; * ) echo "$1" ;; esac
}
run_peer() { # ROUND MODEL PEER
    name=${3%%=*} program=$(absolute "${3#*=}") model_path=$(realpath "$2")
    if [ -n "$parallel" ]; then
        (cd "$dir" && "$program" -m "$model_path" -c $((most * (n_gen + 16))) -b 512 -ub 512 \
            -npp 16 -ntg "$n_gen" -npl "$parallel" -t "$n_threads" 2>&1) | peer_batched "$1" "$name"
    else
        (cd "$dir" && "$program" -m "$model_path" -p "$n_prompt" -n "$n_gen" -t "$n_threads" \
            -r 1 -o json 2> /dev/null) | rates "$1" "$name" avg_ts
    fi
}

for model in $models; do
    : > "$log"
    round=1
    while [ "$round" -le "$n_rounds" ]; do
        printf '%s\n' :lory "$@" | shuf > "$dir/order"
        while IFS= read -r engine <&3; do
            case $engine in
            :lory) run_lory $round "$model" ;;
            *) run_peer $round "$model" "$engine" ;;
            esac >> "$log"
        done 3< "$dir/order"
        round=$((round + 1))
    done
    kinds=$(echo "${parallel:-prompt,gen}" | tr ',' ' ')
    what=${parallel:+"$parallel sequences at once"}
    echo "$model, $n_threads threads, ${what:-prompt $n_prompt}, generation $n_gen, $n_rounds rounds"
    sort -k2,2 -k3,3 -k4,4n "$log" | awk -v kinds="$kinds" '
        function median(v, n) { return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
        function sort_up(v, n,    i, j, t) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        }
        { speed[$2, $3, $1] = $4; if ($1 > n_round) n_round = $1; if (!seen[$2]++) names[++n_name] = $2 }
        END {
            n_kind = split(kinds, kind_at, " ")
            printf "%-24s", ""
            for (k = 1; k <= n_kind; k++) printf " %12s %8s", kind_at[k] " t/s", "ratio"
            print ""
            for (i = 1; i <= n_name; i++) {
                printf "%-24s", substr(names[i], length(names[i]) > 24 ? length(names[i]) - 23 : 1)
                for (k = 1; k <= n_kind; k++) {
                    kind = kind_at[k]
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
