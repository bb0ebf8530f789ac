mkfifo pipe
"$LORY" tokenize -m pipe -p hi
