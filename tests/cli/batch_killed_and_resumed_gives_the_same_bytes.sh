for i in $(seq 30); do
    echo "{\"id\": $i, \"prompt\": \"Once upon a time, there was a dog number $i\", \"max_tokens\": $((i * 7 % 40))}"
done > in.jsonl
echo wrong >> in.jsonl
"$LORY" batch -i in.jsonl -o want || echo "exit $?"
# killed at any moment: the pieces are long enough for some lines, and too short for all
n=0
while [ $n -lt 12 ]; do
    n=$((n + 1))
    "$LORY" batch -i in.jsonl -o out --resume --parallel $((n % 3 + 1)) 2> err &
    sleep 0.0$((n * 3 % 10))
    kill -9 $! 2> /dev/null || true
    wait $! 2> /dev/null || true
done
"$LORY" batch -i in.jsonl -o out --resume || echo "exit $?"
cmp out want
# cut at any byte
for n in 0 1 50 51 100 500 1234 2000; do
    head -c $n want > out
    "$LORY" batch -i in.jsonl -o out --resume 2> /dev/null || echo "exit $?"
    cmp out want
done
"$LORY" batch -i in.jsonl -o out --resume || echo "complete: exit $?"
cmp out want
# an input whose last line has no newline
head -n 3 in.jsonl | head -c -1 > short
"$LORY" batch -i short -o out && "$LORY" batch -i short -o out --resume && head -n 3 want | cmp - out
