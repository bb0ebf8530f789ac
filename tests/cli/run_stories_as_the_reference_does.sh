# f32 weights: the text of the reference program to the last byte, which ends its output with a
# newline.
test -d "$SHARED/models" || exit 77
models="$SHARED/models"
same() {
    bytes=$(($(wc -c < "$1") - 1))
    "$LORY" run -m "$2" -p "Once upon a time" --temp 0 -n 220 --echo | head -c $bytes > got || true
    head -c $bytes "$1" | cmp - got
}
same "$models/expected-stories3M-f32.txt" "$models/stories3M-f32.gguf"
"$LORY" convert "$models/stories260K.bin" --tokenizer "$models/tok512.bin" -o s.gguf 2> note
same "$models/expected-stories260K.txt" s.gguf
