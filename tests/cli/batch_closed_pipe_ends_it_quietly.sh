# The reader takes one line and goes; the run would take minutes.
for i in $(seq 2000); do echo "{\"prompt\": \"Tom\", \"max_tokens\": 200, \"ignore_eos\": true}"; done > in
{ { timeout 60 "$LORY" batch -i in --parallel 2 2> err || echo "exit $?" >&3; } | head -n 1 > first; } 3>&1
wc -l < first
cat err
