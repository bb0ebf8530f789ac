#!/bin/sh
# format_table.sh - the table of formats in models/FORMATS.md, as Markdown on stdout.
#
#     make tools && tools/format_table.sh MODEL.gguf TEXT [CONTEXT] > table.md
#
# Every type and mix that `lory quantize` knows is made from MODEL, measured against it
# (tools/format_error) and scored on TEXT (lory eval, windows of CONTEXT tokens, 256). The types
# below three bits use an importance matrix, measured on TEXT's first half and scored on its second.
# TABLE=FILE replaces the table in that file, between its markers, instead of printing it.
set -eu
[ $# -ge 2 ] || { sed -n '4p' "$0" >&2; exit 2; }
model=$1 text=$2 ctx=${3:-256} lory=${LORY:-./lory} error=build/release/tools/format_error
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
half=$(($(wc -c < "$text") / 2))
head -c "$half" "$text" > "$tmp/first"
tail -c +"$((half + 1))" "$text" > "$tmp/second"
"$lory" imatrix -m "$model" -f "$tmp/first" -c "$ctx" -o "$tmp/imatrix" > /dev/null 2>&1

row() { # NAME FILE
    set -- "$1" "$2" $("$error" "$model" "$2")
    ppl=$("$lory" eval -m "$2" -f "$tmp/second" -c "$ctx" --json)
    printf '%s\n' "$ppl" | awk -v name="$1" -v bits="$3" -v error="$4" '
        match($0, /"perplexity": *[0-9.]+/) { p = substr($0, RSTART, RLENGTH); sub(/.*: */, "", p) }
        END { printf "| `%s` | %.2f | %.3f %% | %.3f |\n", name, bits, 100 * error, p }'
}

table() {
    echo '| type or mix | bits per weight | error | perplexity |'
    echo '|---|---|---|---|'
    for type in q1_0 iq1_s iq1_m tq1_0 tq2_0 iq2_xxs iq2_xs q2_0 iq2_s iq2_m q2_k_s q2_k iq3_xxs \
                iq3_xs iq3_s iq3_m q3_k_s q3_k_m q3_k_l iq4_xs iq4_nl mxfp4 nvfp4 q4_0 q4_1 \
                q4_k_s q4_k_m q5_0 q5_1 q5_k_s q5_k_m q6_k q8_0 bf16 f16 f32; do
        matrix=
        case $type in q1* | iq1* | tq* | iq2* | q2* | iq3_xxs) matrix="--imatrix $tmp/imatrix" ;; esac
        # shellcheck disable=SC2086
        "$lory" quantize "$model" "$tmp/out.gguf" "$type" $matrix > /dev/null 2>&1 || continue
        row "$type" "$tmp/out.gguf"
    done
}

table > "$tmp/table"
if [ -n "${TABLE:-}" ]; then
    awk -v table="$tmp/table" '
        /<!-- formats -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
        /<!-- end -->/ { skip = 0 }
        !skip' "$TABLE" > "$tmp/page"
    cat "$tmp/page" > "$TABLE"
else
    cat "$tmp/table"
fi
