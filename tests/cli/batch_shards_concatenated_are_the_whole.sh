for i in 1 2 3 4 5 6 7 8 9 10 11; do echo "{\"id\": $i, \"prompt\": \"Tom $i\", \"max_tokens\": 4}"; done > in
printf '{"id": 12, "prompt": "no newline", "max_tokens": 2}' >> in
"$LORY" batch -i in -o want
for n in 1 2 5 12 20; do
    for k in $(seq $n); do "$LORY" batch -i in -o out.$k --shard $k/$n; cat out.$k; done | cmp - want
done
wc -l < out.3
# a file on stdin is a file
"$LORY" batch --shard 2/3 < in > a && "$LORY" batch -i in --shard 2/3 | cmp - a
for wrong in 0/3 4/3 3 a/b 1/0 -1/2 1/2x; do "$LORY" batch -i in --shard $wrong || echo $?; done
cat in | "$LORY" batch --shard 1/2 || echo $?
# the same stretch however it is written
"$LORY" batch -i in -o out.7 --resume --shard 07/020
# put together only when every line of it is there
join() { "$VECTORS/../../tools/batch_join.sh" "$@" || echo "exit $?"; }
for k in 1 2 3; do "$LORY" batch -i in -o part.$k --shard $k/3; done
join 3 in part && cmp part want
truncate -s -1 part.3 && join 3 in part
join 4 in part
join 3 none part
join all in part
