"$LORY" tokenize -p "Once upon a time, there was a little girl."
"$LORY" tokenize -p "Once upon a time" --no-bos
"$LORY" tokenize -p "Once upon a time" --bos
printf 'Once upon a time' | "$LORY" tokenize
