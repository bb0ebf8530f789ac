# Vocabulary-only files are enough.
test -d "$SHARED/tokenizers" || exit 77
for file in "$SHARED"/tokenizers/*.gguf; do
    echo "$(basename "$file" .gguf) $("$LORY" tokenize -m "$file" -p "Hello world")"
done
