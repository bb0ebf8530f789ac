# The pages of a mapped file that is not there any more are a line and status 1, not a signal.
cp "$MODEL" model.gguf
mkfifo in
: > notes
"$LORY" chat -m model.gguf --template plain -s 1 -n 4 < in > out 2> notes &
exec 3> in
echo 'A cat sat.' >&3
i=0
until [ "$(wc -l < notes)" -gt 0 ] || [ $i -ge 600 ]; do i=$((i + 1)); sleep 0.1; done
: > model.gguf
echo 'A dog ran.' >&3
exec 3>&-
wait $! || echo "exit $?"
cat notes >&2
