chat() { "$LORY" chat -m "$MODEL" --template plain --temp 0 -n 4 "$@"; }
echo "-- a reader that goes away: quietly" >&2
{ yes 'A cat sat.' | head -n 500 | chat -n -1 || echo "exit $?" > status; } | head -c 1 > /dev/null
cat status
echo "-- a full disk, a closed stdout: one line" >&2
echo 'A cat sat.' | chat > /dev/full || echo "exit $?"
echo 'A cat sat.' | chat >&- || echo "exit $?"
echo "-- a stdin that cannot be read" >&2
chat <&- || echo "exit $?"
chat < . || echo "exit $?"
echo "-- a talk that cannot be kept, and one on a disk that is full" >&2
echo 'A cat sat.' | chat --save nowhere/talk || echo "exit $?"
(ulimit -f 1; printf 'A cat sat.\n/save talk\n' | chat 2>&1 || echo "exit $?") | cat
ls
