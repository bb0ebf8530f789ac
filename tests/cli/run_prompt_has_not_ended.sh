# A file may ask for an end token behind each text; none is put behind a prompt, only what it ends with itself.
sed 's/\(add_eos_token\x07\x00\x00\x00\)\x00/\1\x01/' "$MODEL" > ends.gguf
"$LORY" tokenize -m ends.gguf -p "One" | tr ',' '\n' | tail -n 1
for text in "One." "One.</s>" ""; do
    for special in "" --special; do
        "$LORY" run -m "$MODEL" -p "$text" $special --temp 0 -n 8 --logprobs 0 > want
        "$LORY" run -m ends.gguf -p "$text" $special --temp 0 -n 8 --logprobs 0 | cmp - want
    done
done
