cp "$BUNDLED" m.gguf && chmod u+w m.gguf
mkfifo pipe
"$LORY" batch -m m.gguf < pipe > out 2> err & lory=$!
exec 3> pipe
for i in $(seq 100); do
    grep -q m.gguf /proc/$lory/maps && break
    sleep 0.1
done
sleep 0.2 # what is read when a model is opened has been read
: > m.gguf
echo '{"prompt": "Once upon a time", "max_tokens": 1}' >&3
exec 3>&-
wait $lory || echo "exit $?"
cat err
