# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run --echo=1
try tokenize --no-bos=yes
try run --stats=xml
