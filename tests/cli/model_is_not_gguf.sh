echo "this is no model, but some text that is long enough to be a header" > text.gguf
"$LORY" run -m text.gguf -p hi
