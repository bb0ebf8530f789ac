cat > in.jsonl <<'END'
{"id": 1, "prompt": "Once upon a time", "max_tokens": 12, "temperature": 0}
{"id": "b", "prompt": "The cat", "max_tokens": 4, "temperature": 0, "logprobs": 1}
{"id": [1, {"a": null}], "prompt": ["Once upon a time"], "n": 2, "max_tokens": 5, "top_k": 1}
{"id": null, "prompt": [1, 261, 300], "max_tokens": 0}
{"custom_id": "r1", "method": "POST", "url": "/v1/completions", "body": {"model": "tales", "prompt": "Once upon a time", "max_tokens": 40, "temperature": 0, "stop": [" girl", "xyz"], "logprobs": 0}}
{"custom_id": "r2", "url": "/v1/completions", "body": {"prompt": "One day", "max_tokens": 3, "n": 2, "seed": 7, "logit_bias": {"300": 100}}}
END
"$LORY" batch -i in.jsonl -o out.jsonl
cat out.jsonl
"$LORY" batch < in.jsonl | cmp - out.jsonl
