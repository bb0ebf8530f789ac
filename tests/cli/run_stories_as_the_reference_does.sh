# f32 weights: the text of the reference program, token by token.
test -d "$SHARED/models" || exit 77
"$LORY" run -m "$SHARED/models/stories3M-f32.gguf" -p "Once upon a time" --temp 0 -n 200 --echo \
    --cache-type f32 > got
head -c 600 "$SHARED/models/expected-stories3M-f32.txt" > want
head -c 600 got | cmp - want
