# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run --cache-type q8
try logits --ids 1 --cache-type=F16
