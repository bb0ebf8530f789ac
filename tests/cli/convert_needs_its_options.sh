status=0
"$LORY" convert || status=$?; echo $status
"$LORY" convert "$VECTORS/llama2c/tiny.bin" || status=$?; echo $status
"$LORY" convert "$VECTORS/llama2c/tiny.bin" -o out.gguf --type q8 || status=$?; echo $status
cp "$VECTORS/golden/llama-k256/model-q4_k_m-mix.gguf" in.gguf
"$LORY" convert in.gguf -o ./in.gguf --type q8_0 || status=$?; echo $status
"$LORY" convert in.gguf -o out.gguf --tokenizer in.gguf || status=$?; echo $status
ls
echo '{"model_type": "llama"}' > config.json
"$LORY" convert config.json -o out.gguf || status=$?; echo $status
"$LORY" convert . -o config.json || status=$?; echo $status
ls
