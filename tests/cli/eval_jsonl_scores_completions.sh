cat > lines <<'EOF'
{"prompt": "Once upon a time", "completion": " there was a little girl"}
{"prompt": "Once upon a time", "completion": " zebra the of and"}

{"prompt": "", "completion": "Once upon"}
{"prompt": "The cat", "completion": ""}
EOF
"$LORY" eval --jsonl -f lines > got
sed 's/\(-*[0-9]*\.[0-9][0-9]\)[0-9]*/\1/' got
"$LORY" eval --jsonl -t 2 -b 3 < lines | cmp got -
echo '{"prompt": "a"}' | "$LORY" eval --jsonl || echo $?
echo '{"prompt": "a", "completion": 1' | "$LORY" eval --jsonl || echo $?
"$LORY" eval --jsonl --json < lines || echo $?
