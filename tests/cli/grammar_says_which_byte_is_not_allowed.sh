cat > sum.gbnf << 'END'
# sums, written with left recursion
root ::= root "+" unit | unit
unit ::= [0-9]+ | "(" root ")" | "é"
END
try() { printf "$1" | "$LORY" grammar --grammar sum.gbnf && echo "exit 0" || echo "exit $?"; }
try '1+(22+é)+3'
try '1+(22+)'
try '(1'
try ''
try '1\n'
try '1+\303x'
printf 'root ::= unit "a"\n\n' > wrong.gbnf
"$LORY" grammar --grammar wrong.gbnf || echo "exit $?"
printf 'root ::= "a" root' > wrong.gbnf
"$LORY" grammar --grammar wrong.gbnf || echo "exit $?"
"$LORY" grammar --grammar missing.gbnf || echo "exit $?"
"$LORY" grammar || echo "exit $?"
schema='{"type": "object", "properties": {"a": {"type": "integer", "maximum": 12}}, "required": ["a"]}'
try() { printf "$1" | "$LORY" grammar --json-schema "$schema" && echo "exit 0" || echo "exit $?"; }
try '{"a": 12}'
try '{"a":7}\n'
try '{"a": 13}'
try '{"a": 1}\n\n'
echo '{"type": "array", "contains": {}}' > s.json
"$LORY" grammar --json-schema s.json || echo "exit $?"
"$LORY" grammar --json-schema s.json --grammar sum.gbnf || echo "exit $?"
printf 'root ::= <think> (!</think>)* </think> <[7]>' > tokens.gbnf
try() { printf "$1" | "$LORY" grammar --grammar tokens.gbnf && echo "exit 0" || echo "exit $?"; }
try '<think>so, <[9]> <b</think><[7]>'
try '<think>so</think>7'
"$LORY" run -p Tom --grammar tokens.gbnf || echo "exit $?"
