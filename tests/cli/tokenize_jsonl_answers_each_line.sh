cat > in << 'END'
{"text": "Once upon a time"}
{"text": "Once upon a time", "add_special": false}

{"text": "</s>", "add_special": false, "parse_special": true}
{"text": "</s>", "add_special": false, "parse_special": false}
{"text": ""}
{"text": "caf\u00e9 \ud83d\ude00", "more": [1, {"a": null}]}
END
"$LORY" tokenize --jsonl < in | tee ids
"$LORY" tokenize --jsonl --no-bos < in | head -n 1
"$LORY" tokenize --jsonl --decode < ids
printf '{"text": "no newline at the end"}' | "$LORY" tokenize --jsonl
