# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run -p
try run --threads
try run -n 5 --stop
try tokenize -p
