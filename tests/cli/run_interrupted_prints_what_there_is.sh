# Ctrl-C once the text has begun; the run would take minutes. The shell that sends it runs in the
# background, since a program started there would ignore it.
mkfifo pipe
{ head -c 40; kill -INT "$(cat pid)"; cat > rest; } < pipe &
sh -c 'echo $$ > pid; exec "$LORY" run -p "Once upon a time" --temp 0 --ignore-eos -c 30000' \
    > pipe && echo " exit 0" || echo " exit $?"
wait
