# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run -t 12abc
try run -t ""
try run -t " 1"
try run -t 0x10
try run -n 1e3
try run --predict=5.0
try run --temp 0,8
try run --temp nan
try run --temp inf
try run --temp 0x1p3
try run --temp 1e
try run -s 12three
