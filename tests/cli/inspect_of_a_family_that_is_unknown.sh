# the bundled model with other names of the same length
LC_ALL=C sed 's/llama/camel/g; s/attn_q/mix_in/g' "$MODEL" > x.gguf
"$LORY" inspect x.gguf | sed -n '1s/, .*//p; /^What/,/^$/p'
"$LORY" inspect x.gguf --json | tr ',' '\n' | grep -E '"(runs|findings|kind)"|mix_in' | head -12
"$LORY" run -m x.gguf -p x || echo "exit $?"
"$LORY" logits -m x.gguf --ids 1 || echo "exit $?"
