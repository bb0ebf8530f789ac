# an adapter of rank 2 beside two matrices of the model, all its values alike
bytes() { head -c "$1" /dev/zero | tr '\0' '\053'; } # F16 0x2b2b: 0.056
q=base_model.model.model.layers.1.self_attn.q_proj d=base_model.model.model.layers.2.mlp.down_proj
header='{"'$q.lora_A.weight'":{"dtype":"F16","shape":[2,64],"data_offsets":[0,256]},"'$q.lora_B.weight'":{"dtype":"F16","shape":[64,2],"data_offsets":[256,512]},"'$d.lora_A.weight'":{"dtype":"F16","shape":[2,160],"data_offsets":[512,1152]},"'$d.lora_B.weight'":{"dtype":"F16","shape":[64,2],"data_offsets":[1152,1408]}}'
mkdir adapter
echo '{"peft_type": "LORA", "r": 2, "lora_alpha": 16, "bias": "none"}' > adapter/adapter_config.json
{ printf "\\$(printf %o $((${#header} % 256)))\\$(printf %o $((${#header} / 256)))\0\0\0\0\0\0"
  printf %s "$header"; bytes 1408; } > adapter/adapter_model.safetensors
"$LORY" convert adapter -o lora.gguf --base "$MODEL"
"$LORY" convert adapter -o lora.gguf || echo "exit $?"
"$LORY" convert "$MODEL" -o x.gguf --base "$MODEL" 2> err || { echo "exit $?"; sed 's/and .* is none/and X is none/' err >&2; }
ids='--ids 1,2,3,4,5'
"$LORY" logits $ids > plain
"$LORY" logits $ids --lora lora.gguf > with
"$LORY" logits $ids --lora lora.gguf:1 -t 1 | cmp - with
"$LORY" logits $ids --lora lora.gguf:0 | cmp - plain
cmp -s plain with && echo "the adapter does nothing"
"$LORY" logits $ids --lora lora.gguf:2 > twice
"$LORY" logits $ids --lora lora.gguf:-2 --lora lora.gguf:4 > sum # t is rounded apart
cut -c 1-24 sum > start
cut -c 1-24 twice | cmp - start
LORY_ISA=generic "$LORY" logits $ids --lora lora.gguf | cmp - with
# every command that runs a model takes it
"$LORY" run -p "Once" -n 12 --temp 0 --lora lora.gguf > run.txt
echo '{"prompt": "Once", "max_tokens": 12, "temperature": 0}' > in
"$LORY" batch -i in -o out --lora lora.gguf
sed 's/.*"text":"\([^"]*\)".*/\1/' out > batch.txt
[ "$(cat run.txt)" = "$(printf "$(cat batch.txt)")" ] || echo "run and batch differ"
echo "Once upon a time there was a dog." > text
"$LORY" eval -f text --json > a; "$LORY" eval -f text --json --lora lora.gguf > b
cmp -s a b && echo "eval knows nothing of it"
"$LORY" bench -p 4 -n 2 -r 1 -t 1 --json --lora lora.gguf | wc -l
"$LORY" inspect "$MODEL" --lora lora.gguf | grep adapters
# a run is gone on with, and a talk too, only with the same adapters at the same scales
mask() { sed 's/fingerprint [0-9a-f]*, expected [0-9a-f]*/fingerprint X, expected Y/' err >&2; }
"$LORY" batch -i in -o out --resume --lora lora.gguf
"$LORY" batch -i in -o out --resume --lora lora.gguf:0.5 2> err || { echo "exit $?"; mask; }
"$LORY" batch -i in -o out --resume 2> err || { echo "exit $?"; mask; }
echo hi | "$LORY" chat --template plain -n 3 -s 1 --lora lora.gguf --save talk > said 2> err
echo hi | "$LORY" chat --template plain -n 3 --lora lora.gguf --load talk > said 2> err || cat err
echo hi | "$LORY" chat --template plain -n 3 --load talk || echo "exit $?"
# what is wrong is one line
"$LORY" run -p Once -n 1 --lora nowhere.gguf:0.5 || echo "exit $?"
"$LORY" run -p Once -n 1 --lora :0.5 || echo "exit $?"
"$LORY" run -p Once -n 1 --lora "$MODEL" 2> err || { echo "exit $?"; sed 's/: .*\/tales/: tales/' err >&2; }
"$LORY" run -p Once -n 1 -m lora.gguf || echo "exit $?"
# and an output never takes its place
sha256sum lora.gguf > sum
"$LORY" batch -i in -o lora.gguf --lora lora.gguf:0.5 || { echo "exit $?"; sha256sum -c --quiet sum; }
