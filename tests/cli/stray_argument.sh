# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run "Once upon a time"
try run threads 4
try run -n 3 -- -p
try tokenize hello
try logits 1,2,3
try run model.gguf
try inspect a.gguf b.gguf
try dir/model.gguf -p x
try run -p x --stats json
