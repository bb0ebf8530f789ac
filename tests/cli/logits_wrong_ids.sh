# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
try logits --ids ""
try logits --ids 1,2,x
try logits --ids 1,512
try logits --ids 1,,2
try logits --ids -1
try logits --ids "$(seq -s , 0 400),$(seq -s , 0 111)"
try logits --ids 1,2,3 -c 2
