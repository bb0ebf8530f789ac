# Its reader is waited for and gets all; one that goes away ends the run, without a message.
mkfifo pipe
for i in $(seq 40); do echo "{\"id\": $i, \"prompt\": \"Tom $i\", \"max_tokens\": 6}"; done > in
"$LORY" batch -i in > want
{ sleep 0.1; cat pipe > got; } &
"$LORY" batch -i in -o pipe
wait && cmp got want
for i in $(seq 5000); do echo "{\"prompt\": \"Tom\", \"max_tokens\": 200, \"ignore_eos\": true}"; done > long
head -n 1 pipe > first &
"$LORY" batch -i long -o pipe --parallel 2 && echo "exit 0" || echo "exit $?"
wait && wc -l < first
# Ctrl-C while there is none, on either side; see run_interrupted_prints_what_there_is.sh
interrupted() {
    rm -f pid
    { until test -s pid; do :; done; sleep 0.3; while kill -INT "$(cat pid)"; do sleep 0.3; done; } 2> /dev/null &
    sh -c 'echo $$ > pid; exec "$LORY" batch "$@"' sh "$@" && echo "exit 0" || echo "exit $?"
    wait
}
interrupted -i in -o pipe
interrupted -i pipe -o out
# What needs files does not wait for the other end of a pipe
refused() { timeout 10 "$LORY" batch "$@" 2>&1 && echo "exit 0" || echo "exit $?"; }
refused -i in -o pipe --resume
refused -i pipe -o out --resume
refused -i pipe -o out --shard 1/2
refused -i /dev/null -o out --resume
