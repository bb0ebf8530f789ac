# Where the marks of thinking are control tokens their text is shown, and tells thinking apart.
sed 's/tool_call>/reasoning>/g' "$VECTORS/parrot.gguf" > thinks.gguf
chat() { echo "What?" | "$LORY" chat -m thinks.gguf --template "$VECTORS/parrot.jinja" --temp 0 "$@"; }
chat
chat --think hide
echo '{"messages": [{"role": "user", "content": "What?"}]}' |
    "$LORY" batch -m thinks.gguf --template "$VECTORS/parrot.jinja" --temp 0
"$LORY" run -m thinks.gguf -p "A>" --special --temp 0; echo
