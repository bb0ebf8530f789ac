model=$(dirname "$0")/../vectors/parrot.gguf
chat() { echo hello | "$LORY" chat -m "$model" --template plain "$@" || echo "exit $?"; }
echo '[{"type": "function"' > cut.json
echo '{"name": "add"}' > object.json
echo '[{"type": "function", "function": {}}]' > nameless.json
echo '[{"type": "function", "function": {"name": "add"}}]' > good.json
for f in cut object nameless missing good; do chat --tools $f.json; done
chat --tools good.json --load talk
