# A byte order mark, CRLF and blank lines, as editors elsewhere leave them.
mark() { printf '\357\273\277'; cat; }
lines() { printf '%s\r\n\r\n  \n%s' "$1" "$2" | mark; }
lines '{"prompt": "Once", "max_tokens": 2}' '{"prompt": "Tom", "max_tokens": 2}' | "$LORY" batch || echo "exit $?"
lines '{"text": "Once"}' '{"text": "Tom"}' | "$LORY" tokenize --jsonl
lines '{"prompt": "Once", "completion": " upon"}' '{"prompt": "", "completion": ""}' | "$LORY" eval --jsonl | wc -l
echo '{{ messages[0].content }}' > t.jinja
echo '{"messages": [{"role": "user", "content": "Hi"}]}' | mark | "$LORY" template --template t.jinja
printf 'root ::= "a"\r\n' | mark > g.gbnf
printf a | "$LORY" grammar --grammar g.gbnf
echo '{"type": "integer"}' | mark > s.json
printf 12 | "$LORY" grammar --json-schema s.json
