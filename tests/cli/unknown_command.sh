# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try tokenise
try rum -p hi
try --verson
try help lgits
try -m model.gguf run
try ""
try --hepl
