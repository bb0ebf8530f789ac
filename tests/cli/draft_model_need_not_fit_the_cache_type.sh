# A smaller model whose heads the type of the cache does not fit guesses all the same.
cp "$MODEL" small.gguf
put() { # KEY VALUE: a number under 256 of small.gguf
    at=$(grep -abo "$1" small.gguf | head -n 1 | cut -d : -f 1)
    # shellcheck disable=SC2059
    printf "\\$(printf %o "$2")" |
        dd of=small.gguf bs=1 seek=$((at + ${#1} + 4)) conv=notrunc status=none
}
put llama.attention.head_count 4
put llama.attention.head_count_kv 2
put llama.rope.dimension_count 16
go() { "$LORY" run --cache-type q8_0 -p "Once upon a time" --temp 0 -n 24 "$@"; }
! "$LORY" logits -m small.gguf --cache-type q8_0 --ids 1,2
go > alone
go --model-draft small.gguf > with_guesses
test -s alone && cmp alone with_guesses
