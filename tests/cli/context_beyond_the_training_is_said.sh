# When a text goes there, not when it could.
run() { "$LORY" run -p Once --temp 0 --ignore-eos "$@" | wc -c; }
run -n 2 -c 1000
run -n 508 -c 1000
run -n 509 -c 1000
run -n 509 -c 512
seq 600 > text
"$LORY" eval -f text -c 512 | wc -l
"$LORY" eval -f text -c 513 | wc -l
yes "Go on." | head -n 30 |
    "$LORY" chat -m "$BUNDLED" -n 20 --temp 0 --ignore-eos -c 1000 2>&1 > out | grep -v "(-n)"
