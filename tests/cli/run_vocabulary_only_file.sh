test -d "$SHARED/tokenizers" || exit 77
ln -s "$SHARED/tokenizers/tok512.gguf" vocab.gguf
"$LORY" run -m vocab.gguf -p hi
