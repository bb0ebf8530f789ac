# Its name for max_tokens, which counts more; what would change the answer and is unknown is said.
ask() {
    printf '{"prompt": "Once", "temperature": 0, %s}\n' "$@" > in
    "$LORY" batch -i in -m "$BUNDLED" -n 2 || echo "exit $?"
}
ask '"n_predict": 3' '"n_predict": 5, "max_tokens": 1' '"n_predict": null' '"n_predict": -2'
ask '"n_probs": 1' '"samplers": ["top_k"]' '"lora": [{"id": 0, "scale": 1.0}]' '"n_indent": 4'
ask '"n_probs": 0, "samplers": null, "min_keep": 0, "cache_prompt": true, "stream": false'
ask '"n_predict": -1' | wc -c
