# A checkpoint with its tokenizer.bin beside it; what was made, without the memory plan of this machine.
"$LORY" convert "$VECTORS/llama2c/tiny.bin" -o tiny.gguf
"$LORY" inspect --tensors tiny.gguf | sed '/^Plan/,/^$/d; /^Memory/,/^$/d'
