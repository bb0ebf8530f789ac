# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
export LORY_MODEL=no/such.gguf
try tokenize -p hi
try tokenize -m "$MODEL" -p hi
LORY_MODEL= try tokenize -p hi
