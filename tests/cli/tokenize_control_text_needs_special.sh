"$LORY" tokenize --no-bos -p "</s>"
"$LORY" tokenize --no-bos -p "</s>" --special
"$LORY" tokenize --decode -p "1 2"
"$LORY" tokenize --decode -p "1 2" --special
