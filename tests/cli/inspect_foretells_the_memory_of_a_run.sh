# within 5 %, or the MB by which programs differ from machine to machine (OpenMP's runtime is most of
# it); sanitizers take more
test -z "${TEST_SLOW-}" || exit 77
THREADS=1 LORY=$LORY "$VECTORS/../../tools/bench_memory.sh" -c 256 "$BUNDLED" > runs
awk '{ off = $10 - $13; if (off < 0) off = -off; n++
       if (off > $13 * 0.05 && off > 1.0) print }
     END { print n, "runs" }' runs
# the parts are the whole, and the largest context is what the rest of the memory holds
"$LORY" inspect "$BUNDLED" --json -t 2 > x
part() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" x; }
[ $(part total_bytes) = $(($(part weights_bytes) + $(part lora_bytes) + $(part kv_bytes) + $(part state_bytes) + $(part scratch_bytes) + $(part program_bytes))) ] || echo "the parts are not the whole"
[ $(part n_ctx_fit) -ge $(part n_ctx) ] || echo "$(part n_ctx) tokens are planned, $(part n_ctx_fit) fit"
