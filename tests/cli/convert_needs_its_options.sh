status=0
"$LORY" convert || status=$?; echo $status
"$LORY" convert "$VECTORS/llama2c/tiny.bin" || status=$?; echo $status
"$LORY" convert "$VECTORS/llama2c/tiny.bin" -o out.gguf --type q8 || status=$?; echo $status
ls
