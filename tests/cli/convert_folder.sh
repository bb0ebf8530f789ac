# A folder of one layer: what is made of it, said and read back; and what a folder may lack.
# tensor NAME SHAPE: a safetensors file of that tensor of 40 floats, all zero.
tensor() {
    header=$(printf '{"%s":{"dtype":"F32","shape":[%s],"data_offsets":[0,160]}}' "$1" "$2")
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    head -c 160 /dev/zero
}
# whole: one of all tensors of a layer and a model, all zero.
whole() {
    at=0 header=
    for row in embed_tokens:5,8:40 norm:8:8 layers.0.input_layernorm:8:8 \
        layers.0.post_attention_layernorm:8:8 layers.0.self_attn.q_proj:8,8:64 \
        layers.0.self_attn.k_proj:8,8:64 layers.0.self_attn.v_proj:8,8:64 \
        layers.0.self_attn.o_proj:8,8:64 layers.0.mlp.gate_proj:8,8:64 \
        layers.0.mlp.up_proj:8,8:64 layers.0.mlp.down_proj:8,8:64; do
        IFS=: read -r name shape n <<EOF
$row
EOF
        header="$header${header:+,}\"model.$name.weight\":{\"dtype\":\"F32\",\"shape\":[$shape],"
        header="$header\"data_offsets\":[$at,$((at + 4 * n))]}"
        at=$((at + 4 * n))
    done
    header="{$header}"
    printf "\\$(printf %03o $((${#header} % 256)))\\$(printf %03o $((${#header} / 256)))"
    printf '\0\0\0\0\0\0%s' "$header"
    head -c "$at" /dev/zero
}
config() {
    printf '{"architectures":["%s"],"model_type":"%s","hidden_size":8,"num_hidden_layers":1,' "$1" "$2"
    printf '"num_attention_heads":1,"intermediate_size":8,"max_position_embeddings":16,'
    printf '"rms_norm_eps":1e-6,"vocab_size":5}'
}
fails() { if "$LORY" convert "$@" -o out.gguf; then echo "made of $*"; fi; }

mkdir m
fails m
config LlamaForCausalLM llama >m/config.json
fails m
tensor model.embed_tokens.weight 5,8 >m/model.safetensors
fails m
whole >m/model.safetensors
"$LORY" convert m/ -o out.gguf
"$LORY" inspect --json out.gguf | grep -o '"llama.[a-z._]*":[^,}]*'
"$LORY" convert m -o bf16.gguf --type bf16
config NewForCausalLM new >m/config.json
rm out.gguf
fails m
config LlamaForCausalLM llama >m/config.json
tensor model.layers.0.mlp.extra.weight 5,8 >m/model.safetensors
fails m
printf '{"weight_map":{"model.embed_tokens.weight":"model-00001-of-00001.safetensors"}}' >m/model.safetensors.index.json
fails m
! "$LORY" convert m -o out.gguf --tokenizer x.bin
ls
