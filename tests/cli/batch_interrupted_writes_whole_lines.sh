for i in $(seq 2000); do echo "{\"prompt\": \"Tom\", \"max_tokens\": 100, \"ignore_eos\": true}"; done > in
mkfifo pipe
{ head -n 3 > first; kill -INT "$(cat pid)"; cat > rest; } < pipe &
sh -c 'echo $$ > pid; exec "$LORY" batch -i in --parallel 2' > pipe 2> err && echo "exit 0" || echo "exit $?"
wait
sed 's/[0-9]* of 2000/N of 2000/' err
cat first rest > out
test -z "$(tail -c 1 out | tr -d '\n')" && test "$(wc -l < out)" -lt 2000
