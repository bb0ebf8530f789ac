"$LORY" convert "$VECTORS/llama2c/tiny.bin" -o tiny.gguf 2>/dev/null
"$LORY" convert tiny.gguf -o q8.gguf --type q8_0
"$LORY" convert q8.gguf -o back.gguf --type f32
"$LORY" convert q8.gguf -o again.gguf
cmp q8.gguf again.gguf
for f in q8 back; do
    "$LORY" inspect --json $f.gguf | grep -o '"types":\[[^]]*\]'
    "$LORY" inspect --json $f.gguf | grep -o '"general.file_type":[0-9]*'
done
