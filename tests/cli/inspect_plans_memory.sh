# The numbers are the machine's; their sum and the effect of the options are not.
"$LORY" inspect --json -c 64 "$MODEL" | tr ',{}' '\n\n\n' | grep -E '"(n_ctx|n_ctx_lowered|cache_type)"'
kv() { "$LORY" inspect --json "$MODEL" "$@" | grep -o '"kv_bytes":[0-9]*' | cut -d: -f2; }
[ "$(kv -c 128)" -eq "$((2 * $(kv -c 64)))" ] && echo "KV cache: twice the context, twice the bytes"
[ "$(kv -c 64 --cache-type f32)" -eq "$((2 * $(kv -c 64)))" ] && echo "KV cache: f32 is twice f16"
