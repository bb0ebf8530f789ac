chat() { "$LORY" chat -m "$MODEL" --template plain -s 7 -n 12 2> stats; }
printf 'A cat sat.\nWhat then?\n' | chat > plain
printf 'A cat sat.\nA dog came by.\n/undo\nWhat then?\n' | chat > undone
tail -n 1 undone > last; tail -n 1 plain | cmp - last
printf 'A cat sat.\nWhat then?\n/undo\nWhat then?\n/stats\n' | chat > /dev/null
grep -o ', [0-9]* of them new' stats                  # the cache went back: nothing was read again
printf 'A cat sat.\nWhat then?\n/retry\n/retry\n' | chat > retried
wc -l < retried
printf 'A cat sat.\nWhat then?\n/retry\n/retry\n' | chat | cmp - retried
