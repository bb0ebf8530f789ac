# Runs the program and puts its status on stdout.
try() { "$LORY" "$@" && echo "exit 0" || echo "exit $?"; }
for ids in x 1,x 1.5 -1 2048 99999999999999999999 "[1,2" "[1,2] 3" 1, ,1 "[1,,2]" "1 2 3]"; do
    try tokenize --decode -p "$ids"
done
printf '1 2 three' | try tokenize --decode
