# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try run -t 0
try run -t 1025
try run -c -1
try run -b 0
try run -n -2
try run -n 2147483648
try run -n 99999999999999999999
try run -s -2
try run -s 9223372036854775808
try run --temp -0.5
try run --temp 1e60
try run --top-p 1.01
try run --min-p -1
try run --top-k -1
try run --logprobs 1001
try run -b 8193
try run -c 2000000000
try run --repeat-penalty 0
