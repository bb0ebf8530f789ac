cat > in.jsonl <<'END'
nonsense
{"id": 2, "prompt": "The", "temperature": "hot"}

{"id": 4}
{"id": 5, "prompt": "The", "max_tokens": 1, "temperature": 0}
[1, 2]
{"id": 7, "prompt": "The", "n": 0}
{"id": 8, "prompt": "The", "temperature": -1}
{"id": 9, "prompt": "The", "stop": ""}
{"id": 10, "prompt": [99999]}
{"id": 11, "prompt": "The", "logit_bias": {"x": 1}}
{"id": 12, "prompt": "The", "response_format": {"type": "xml"}}
{"custom_id": 13, "url": "/v1/completions", "body": {"prompt": "The"}}
{"custom_id": "c14", "url": "/v1/embeddings", "body": {"input": "The"}}
{"custom_id": "c15", "url": "/v1/completions", "body": {"prompt": "The", "tools": [{}]}}
{"custom_id": "c16", "url": "/v1/completions"}
END
printf '{"id": 17, "prompt": "%01000d"}\n{"id": 18, "prompt": "\377"}\n{"id": 19, "prompt": "a' 0 >> in.jsonl
"$LORY" batch -i in.jsonl -o out.jsonl || echo "exit $?"
cat out.jsonl
test "$(wc -l < out.jsonl)" = 19
