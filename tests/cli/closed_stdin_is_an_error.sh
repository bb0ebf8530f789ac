# And a closed stderr is no reason to fail.
"$LORY" tokenize -p hi 2>&-
"$LORY" tokenize <&-
