test -d "$SHARED/tokenizers" || exit 77
ln -s "$SHARED/tokenizers/tok512.gguf" vocab.gguf
"$LORY" logits -m vocab.gguf --ids 1
