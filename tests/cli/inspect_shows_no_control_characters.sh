# The description of the model is overwritten with bytes that would colour and clear a terminal.
"$LORY" convert "$VECTORS/llama2c/tiny.bin" -o tiny.gguf 2>/dev/null
LC_ALL=C sed 's/\(general\.name.\{4\}.\{8\}\)tiny/\1\x1b[2J/' tiny.gguf >bad.gguf
"$LORY" inspect bad.gguf | sed -n '4p'
if "$LORY" inspect bad.gguf | grep -q "$(printf '\033')"; then echo "an escape got through"; fi
