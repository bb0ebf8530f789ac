# A choice for each prompt and each of n, the first prompt's before the second's.
cat > in.jsonl <<'END'
{"id": 1, "prompt": ["Once upon a time", "The cat"], "n": 2, "max_tokens": 5, "top_k": 1}
{"custom_id": "2", "url": "/v1/completions", "body": {"prompt": [[1, 261, 300], [5], "A"], "max_tokens": 3, "logprobs": 0}}
{"id": 3, "prompt": [[1, 261, 300]], "max_tokens": 3}
{"id": 4, "prompt": [], "max_tokens": 2}
{"id": 5, "prompt": ["a", 5]}
{"id": 6, "prompt": [["a"], 5]}
{"id": 7, "prompt": [5, "a"]}
{"id": 8, "prompt": [{}]}
{"id": 9, "prompt": ["The", "A"], "temperature": -1}
END
yes '"a"' | head -n 200 | tr '\n' ',' | sed 's/^/{"id": 10, "n": 100, "prompt": [/; s/,$/]}/' >> in.jsonl
"$LORY" batch -i in.jsonl -o out || echo "exit $?"
cat out
"$LORY" batch -i in.jsonl --parallel 1 -t 1 2> log | cmp - out
# Prompts that are the same have answers of their own.
echo '{"prompt": ["Tom", "Tom"], "max_tokens": 20}' | "$LORY" batch > two
echo '{"prompt": "Tom", "n": 2, "max_tokens": 20}' | "$LORY" batch | sed 's/"prompt_tokens":[0-9]*/X/' > n
sed 's/"prompt_tokens":[0-9]*/X/' two | cmp - n
