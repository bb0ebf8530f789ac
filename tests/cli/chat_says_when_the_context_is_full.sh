printf 'A cat sat on a mat by the door.\nWhat then?\n/compact\nGo on.\n' |
    "$LORY" chat -m "$MODEL" --template plain --temp 0 -n 20 -c 80 > out || echo "exit $?"
printf 'A cat.\n' | "$LORY" chat -m "$MODEL" --template plain --temp 0 -c 24 --logit-bias 1-100 --logit-bias 2-100 > out || echo "exit $?"
printf 'one two three four five six seven eight nine ten eleven twelve thirteen fourteen\n' |
    "$LORY" chat -m "$MODEL" --template plain -c 16 || echo "exit $?"
