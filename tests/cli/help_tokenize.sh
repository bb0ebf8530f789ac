"$LORY" help tokenize | tee page
"$LORY" tokenize --help | cmp - page
"$LORY" tokenize -h | cmp - page
