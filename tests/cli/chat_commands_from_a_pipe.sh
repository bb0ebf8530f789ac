chat() { "$LORY" chat -m "$MODEL" --template plain -s 7 -n 4; }
printf '/help\n/exit\nA cat sat.\n' | chat            # nothing after /exit is a turn
printf '/set temp 0\n/set\n' | chat
printf '/set temp\n' | chat || echo "exit $?"
printf '/load nowhere\n' | chat || echo "exit $?"
printf 'A cat sat.\n/save talk\n' | chat
printf '/set temp 0.5 \n/load talk \t\n/stats \n' | chat 2>&1 | grep -c tokens
printf '/hepl\n' | chat > text && printf '//hepl\n' | chat | cmp - text    # of a pipe a text
printf '/set\ttop-k \t 3\n/reset\t\n/set\n' | chat 2>&1 | grep top-k    # tabs are blanks, too
printf '/system @\n' | chat || echo "exit $?"
"$LORY" chat -m "$MODEL" --system @ < /dev/null || echo "exit $?"
