# The reader takes one byte and goes; the run would take minutes.
{ { timeout 60 "$LORY" run -p "Once upon a time" --ignore-eos -c 30000 || echo "exit $?" >&3; } |
    head -c 1 > first; } 3>&1
wc -c < first
