# Where the marks of thinking are control tokens their text is shown, and tells thinking apart.
sed 's/tool_call>/reasoning>/g' "$VECTORS/parrot.gguf" > thinks.gguf
chat() { echo "What?" | "$LORY" chat -m thinks.gguf --template "$VECTORS/parrot.jinja" --temp 0 "$@"; }
batch() {
    echo '{"messages": [{"role": "user", "content": "What?"}]}' |
        "$LORY" batch -m thinks.gguf --template "$VECTORS/parrot.jinja" --temp 0
}
chat
chat --think hide
batch
"$LORY" run -m thinks.gguf -p "A>" --special --temp 0; echo
# Others are not shown for that: here what was the first <reasoning>; the second is text.
sed 's/<tool_call>/<RESPONSE1>/g; s/tool_call>/reasoning>/g' "$VECTORS/parrot.gguf" > thinks.gguf
chat
batch
