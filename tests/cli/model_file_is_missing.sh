"$LORY" run -m no/such.gguf -p hi
