# A text without an end is refused; these files are all hole.
truncate -s 1073741825 long
"$LORY" run -f long -n 1 || echo "exit $?"
"$LORY" eval -f long || echo "exit $?"
"$LORY" imatrix -f long -o out || echo "exit $?"
"$LORY" tokenize < long || echo "exit $?"
"$LORY" template < long || echo "exit $?"
printf 'root ::= "a"' > g.gbnf
"$LORY" grammar --grammar g.gbnf < long || echo "exit $?"
# a line of a talk
head -c 16777217 long | "$LORY" chat || echo "exit $?"
