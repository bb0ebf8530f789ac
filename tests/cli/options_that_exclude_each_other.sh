# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run -p a -f b
try run --echo --logprobs 2
try run --stop ""
try tokenize --jsonl -p a
try logits
