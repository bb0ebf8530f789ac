command -v parallel > /dev/null || exit 77
case $LORY in *emulated) exit 77 ;; esac
tools=$VECTORS/../../tools
for i in $(seq 20); do echo "{\"id\": $i, \"prompt\": \"Tom's dog \$HOME $i\", \"max_tokens\": 6}"; done > "in put"
"$LORY" batch -i "in put" -o want --stop "a b;c"
"$tools/batch_parallel.sh" 4 "in put" "o ut" --stop "a b;c" -t 1 2> /dev/null
cmp "o ut" want
# killed and started again
rm o*; head -n 2 want > "o ut.1"
"$tools/batch_parallel.sh" 4 "in put" "o ut" --stop "a b;c" -t 1 2> err || echo "exit $?"
grep -v -i citation err | grep lory: | sed 's/^.*lory: //'
rm "o ut.1"
"$tools/batch_parallel.sh" 4 "in put" "o ut" --stop "a b;c" -t 1 2> /dev/null
cmp "o ut" want
