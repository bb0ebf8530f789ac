"$LORY" run -p --help -m none.gguf
