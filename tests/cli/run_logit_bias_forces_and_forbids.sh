# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
"$LORY" run -p "Once upon a time" --temp 0 -n 3 --logit-bias 300+1000; echo
"$LORY" run -p "Once upon a time" --temp 0 -n 3 --logit-bias 300+1000 --logit-bias 301+2000; echo
try run -p a --logit-bias x
try run -p a --logit-bias 5
try run -p a --logit-bias 5+x
try run -p a --logit-bias 512+1
try run -p a --logit-bias +5
