# One line, or with =json one object, on standard error; the tokens of a talk are those evaluated.
show() { sed -E 's/("[a-z_]*(ms|per_s|bytes|ted_tokens)"):[0-9.]+/\1:X/g; s/[0-9]+\.[0-9]+/X/g' err >&2; }
printf 'Hi\n/undo\nHi\n' | "$LORY" chat -m "$BUNDLED" -s 3 -n 2 --no-history --stats 2> err; show
printf 'Hi\n' | "$LORY" chat -m "$BUNDLED" -s 3 -n 40 --ignore-eos --stats=json 2> err | wc -w; show
"$LORY" logits --ids 1,2,3 --stats 2> err | cut -c 1-16; show
echo "Once upon a time there was a cat." > text
"$LORY" eval -f text --stats=json 2> err | grep scored; show
echo '{"prompt": "Once upon", "completion": " a time"}' | "$LORY" eval --jsonl --stats > out 2> err; show
echo '{}' | "$LORY" eval --jsonl --stats > out || echo "exit $?"
