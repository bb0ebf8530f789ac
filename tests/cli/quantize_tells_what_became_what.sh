# Rows of 256 take every type; general.file_type and quantization_version follow the mix.
cp "$VECTORS/golden/llama-k256/model-q4_k_m-mix.gguf" k256.gguf
"$LORY" quantize k256.gguf q8.gguf q8_0
"$LORY" quantize q8.gguf mix.gguf Q3_K_M
"$LORY" inspect --json mix.gguf | grep -o '"general.file_type":[0-9]*'
"$LORY" inspect --json mix.gguf | grep -o '"general.quantization_version":[0-9]*'
"$LORY" logits -m mix.gguf --ids 1,2,3 | cut -c 1-9
