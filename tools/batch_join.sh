#!/bin/sh
# batch_join.sh N IN OUT - puts OUT.1 ... OUT.N, the shards of lory batch, together as OUT, if they
# answer every line of IN.
set -eu
usage() { echo "usage: batch_join.sh N IN OUT" >&2; exit 2; }
fail() { rm -f "$out.joined"; echo "batch_join: $1" >&2; exit 1; }
[ $# -eq 3 ] || usage
n=$1 in=$2 out=$3
case $n in '' | *[!0-9]*) usage ;; esac
[ -f "$in" ] || fail "$in is missing"
want=$(awk 'END { print NR }' "$in") # its last line may lack a newline; no answer does
i=0
: > "$out.joined"
while [ $i -lt "$n" ]; do
    i=$((i + 1))
    [ -f "$out.$i" ] || fail "$out.$i is missing"
    cat "$out.$i" >> "$out.joined"
done
got=$(($(wc -l < "$out.joined")))
[ $got -eq "$want" ] || fail "$got of $want lines are answered; run the shards again with --resume"
mv "$out.joined" "$out"
echo "$out: $got lines"
