# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run --thread 3
try run --treads=3
try run -threads 3
try run --temperature 1
try run --top_k 5
try run -x
try run -T 3
try tokenize --no_bos
try logits --id 1
try run --hlep
try run -n128
try run -tb 4
# Options of other programs: what takes their place, too.
try run -ngl 99
try batch --chat-template chatml
try tokenize --jinja=1
try inspect -m model.gguf
