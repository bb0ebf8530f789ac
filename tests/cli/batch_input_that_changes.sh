# $LORY runs on a copy of in that is changed while it is answered.
while_running() { # COMMAND
    cp in now && rm -f out
    "$LORY" batch -i now -o out --parallel 1 -t 1 2> err & pid=$!
    while ! test -s out; do sleep 0.01; done
    kill -STOP $pid
    eval "$1"
    kill -CONT $pid
    wait $pid && echo "exit 0" || echo "exit $?"
    sed 's/[0-9]* of 300/N of 300/; s/found [0-9]*/found N/' err
}
pad=$(printf %4000s)
for i in $(seq 300); do echo "{\"id\": $i, \"prompt\": \"Tom\", \"max_tokens\": 10, \"ignore_eos\": true$pad}"; done | head -c -1 > in
"$LORY" batch -i in -o want
# what is written behind it is not read, not even as the end of its last line
while_running 'echo "   , more" >> now'
cmp out want
# cut short: nothing is made up
while_running 'head -c 100 in > now'
head -n "$(wc -l < out)" want | cmp - out
# other bytes in the same place
while_running 'printf " " | dd of=now bs=1 seek=0 conv=notrunc 2> /dev/null'
# touched only
while_running 'touch now'
cmp out want
