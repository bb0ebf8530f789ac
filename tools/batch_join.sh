#!/bin/sh
# batch_join.sh N IN OUT - puts OUT.1 ... OUT.N, the shards of lory batch, together as OUT, if they
# answer every line of IN.
set -eu
[ $# -eq 3 ] || { echo "usage: batch_join.sh N IN OUT" >&2; exit 2; }
n=$1 in=$2 out=$3
lines_of() { awk 'END { print NR }' "$@"; }
want=$(lines_of "$in")
i=0
: > "$out.joined"
while [ $i -lt "$n" ]; do
    i=$((i + 1))
    [ -f "$out.$i" ] || { rm "$out.joined"; echo "batch_join: $out.$i is missing" >&2; exit 1; }
    cat "$out.$i" >> "$out.joined"
done
got=$(lines_of "$out.joined")
if [ "$got" -ne "$want" ]; then
    rm "$out.joined"
    echo "batch_join: $got of $want lines are answered; run the shards again with --resume" >&2
    exit 1
fi
mv "$out.joined" "$out"
echo "$out: $got lines"
