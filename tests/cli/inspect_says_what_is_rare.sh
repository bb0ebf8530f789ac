# Experts and how rotation is scaled.
golden=$(dirname "$0")/../vectors/golden
for f in mixtral qwen2-yarn deepseek-v2 llama-linear; do
    echo "$f"
    "$LORY" inspect "$golden/$f"/*.gguf | grep -E '^  (experts|rope|merges) '
done
