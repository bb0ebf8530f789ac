"$LORY" convert "$VECTORS/llama2c/tiny.bin" -o tiny.gguf --type f16 2>/dev/null
"$LORY" inspect --json tiny.gguf | sed 's/"plan":.*//'
"$LORY" inspect --json tiny.gguf | grep -o '"layers":[^a-z]*"step":"attend[^;]*'
"$LORY" inspect --json --tensors tiny.gguf | grep -o '{"name":"blk.1.ffn_down.weight"[^}]*}'
