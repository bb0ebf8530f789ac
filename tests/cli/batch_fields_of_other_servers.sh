# Its name for max_tokens, which counts more; what would change the answer and is unknown is said.
ask() {
    printf '{"prompt": "Once", "temperature": 0, %s}\n' "$@" > in
    "$LORY" batch -i in -m "$BUNDLED" -n 2 || echo "exit $?"
}
ask '"n_predict": 3' '"n_predict": 5, "max_tokens": 1' '"n_predict": null' '"n_predict": -2'
ask '"n_probs": 1' '"samplers": ["top_k"]' '"lora": [{"id": 0, "scale": 1.0}]' '"n_indent": 4'
ask '"n_probs": 0, "samplers": null, "min_keep": 0, "cache_prompt": true, "stream": false'
ask '"n_predict": -1' | wc -c
# Those of vLLM that would change the answer, and with values that do not; what is asked for by halves.
ask '"repetition_penalty": 1.2' '"min_tokens": 1' '"stop_token_ids": [3]' '"guided_json": {}' '"skip_special_tokens": false'
ask '"repetition_penalty": 1.0, "min_tokens": 0, "stop_token_ids": [], "guided_json": null, "skip_special_tokens": true'
ask '"top_logprobs": 1' '"top_logprobs": 1, "logprobs": false' '"top_logprobs": 0'
