: > empty.gguf
"$LORY" logits -m empty.gguf --ids 1
