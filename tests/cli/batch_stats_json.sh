for i in 1 2 3 4; do echo "{\"prompt\": \"Once upon a time, there was a little girl named Lily who had a dog $i\", \"max_tokens\": 5, \"ignore_eos\": true}"; done > in
# a line that is refused was not evaluated
echo "{\"prompt\": [$(seq -s , 4 900)]}" >> in
"$LORY" batch -i in -c 64 --stats=json --parallel 2 -o out 2> err || echo $?
sed 's/"\([a-z_]*\(_ms\|_per_s\|_bytes\)\)":[0-9.e+]*/"\1":X/g' err
