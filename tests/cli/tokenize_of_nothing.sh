"$LORY" tokenize -p ""
"$LORY" tokenize --no-bos < /dev/null
"$LORY" tokenize --decode < /dev/null
"$LORY" tokenize --decode -p "[]"
"$LORY" tokenize --jsonl < /dev/null
