# Vocabulary-only files are enough.
test -d "$SHARED/tokenizers" || exit 77
for f in llama-2 llama-3 gpt-2 qwen2 tok512; do
    "$LORY" tokenize -m "$SHARED/tokenizers/$f.gguf" -p "Hello world"
done
