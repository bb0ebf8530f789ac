test -c /dev/full || exit 77
echo '{"prompt": "The", "max_tokens": 3}' > in
"$LORY" batch -i in > /dev/full || echo "exit $?"
"$LORY" batch -i in -o /dev/full || echo "exit $?"
"$LORY" batch -i in -o in || echo "exit $?"
"$LORY" batch -i in -o . || echo "exit $?"
"$LORY" batch -i in -o none/out || echo "exit $?"
# where no file can be made, which is not that it is missing
! test -d /sys/kernel || "$LORY" batch -i in -o /sys/lory 2>&1 | grep 'No such file' || true
"$LORY" batch -i none || echo "exit $?"
"$LORY" batch -i . || echo "exit $?"
cat in
# a disk that is full in the middle of a line: what is whole stays, and the run can be gone on with
for i in $(seq 40); do echo "{\"id\": $i, \"prompt\": \"Tom $i\", \"max_tokens\": 6}"; done > in
"$LORY" batch -i in -o want
(ulimit -f 4 && "$LORY" batch -i in -o out 2> err) || echo "exit $?"
sed 's/; [0-9]* of 40/; N of 40/' err
test "$(tail -c 1 out | od -An -c | tr -d ' ')" = '\n' && head -n "$(wc -l < out)" want | cmp - out
"$LORY" batch -i in -o out --resume && cmp out want
