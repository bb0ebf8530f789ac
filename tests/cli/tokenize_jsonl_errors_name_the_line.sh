# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
bad() { printf '{"text": "a"}\n%s\n{"text": "b"}\n' "$1" | try tokenize --jsonl; }
bad '{"text": }'
bad 'hello'
bad '["text"]'
bad '{"txt": "a"}'
bad '{"text": 5}'
bad '{"text": "a", "add_special": 1}'
bad '{"text": "a", "parse_special": "no"}'
bad "$(printf '{"text": "\377"}')"
printf '{"ids": [1]}\n\n{"ids": [1, 5000]}\n' | try tokenize --jsonl --decode
printf '{"ids": 1}\n' | try tokenize --jsonl --decode
