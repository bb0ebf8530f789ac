#!/bin/sh
# batch_parallel.sh N IN OUT [OPTIONS] - lory batch in N shards at once by GNU parallel, joined to
# OUT. Started again after anything, it goes on where it was. $LORY is the program (lory), $JOBS how
# many shards run at once (N); over several machines: PARALLEL='--sshlogin a,b' with a shared
# folder.
set -eu
[ $# -ge 3 ] || { echo "usage: batch_parallel.sh N IN OUT [OPTIONS of lory batch]" >&2; exit 2; }
n=$1 in=$2 out=$3
shift 3
# A shard with lines that could not be answered ends with 1, too; batch_join.sh tells it from one
# that is not complete.
seq "$n" | parallel --jobs "${JOBS:-$n}" --quote \
    "${LORY:-lory}" batch -i "$in" -o "$out.{}" --shard "{}/$n" --resume "$@" || true
exec "$(dirname "$0")/batch_join.sh" "$n" "$in" "$out"
