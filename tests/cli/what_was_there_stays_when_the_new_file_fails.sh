# The file at the output's place is replaced by a whole one, or stays byte for byte.
keeps() {
    "$LORY" "$@" 2> err && echo "made by $*" || echo "exit $?"
    sed 's|(/.*/|(|; s|/.*/||' err
    echo precious | cmp - out.gguf && ls -A | tr '\n' ' ' && echo
}
echo precious > out.gguf
# tensor NAME SHAPE N: a safetensors file of that tensor of N floats, all zero
tensor() {
    header=$(printf '{"%s":{"dtype":"F32","shape":[%s],"data_offsets":[0,%d]}}' "$1" "$2" $((4 * $3)))
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    head -c $((4 * $3)) /dev/zero
}
mkdir m
printf '{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":8,"vocab_size":5,
"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":8,"max_position_embeddings":16,
"rms_norm_eps":1e-6}' > m/config.json
tensor model.embed_tokens.weight 5,8 40 > m/model.safetensors
# whole, but no model that runs
keeps convert m -o out.gguf
# cut short, of another kind, not there
head -c 100 m/model.safetensors > cut && mv cut m/model.safetensors
keeps convert m -o out.gguf
head -c 60000 "$MODEL" > cut.gguf
keeps convert cut.gguf -o out.gguf
keeps quantize cut.gguf out.gguf q4_0
keeps quantize none.gguf out.gguf q4_0
# a disk that is full
(ulimit -f 64 && keeps convert "$MODEL" -o out.gguf --type f32)
(ulimit -f 64 && keeps quantize "$MODEL" out.gguf q4_0)
yes 'Once upon a time there was a cat who liked to sing.' | head -n 60 > text
(ulimit -f 4 && keeps imatrix -m "$MODEL" -f text -o out.gguf)
(ulimit -f 64 && keeps eval -m "$MODEL" -f text --save-logits out.gguf)
# Ctrl-C, whenever it comes: the shell that sends it runs in the background, since a program started
# there would ignore it
for delay in 0 0.01 0.02 0.05 0.1; do
    rm -f pid
    { until test -s pid; do :; done; sleep $delay; kill -INT "$(cat pid)" 2> /dev/null || true; } &
    sh -c 'echo $$ > pid; exec "$LORY" quantize "$BUNDLED" out.gguf iq2_xs' > /dev/null 2>&1 \
        && status=0 || status=$?
    wait $!
    case $status in
    130) echo precious | cmp - out.gguf ;;
    0) "$LORY" inspect out.gguf > /dev/null && echo precious > out.gguf ;;
    *) echo "exit $status" ;;
    esac
done
ls -A | tr '\n' ' '
echo
