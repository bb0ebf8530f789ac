"$LORY" convert "$VECTORS/llama2c/tiny.bin" -o no/where.gguf
