# 8 tokens in a context of 8: one more can be drawn from their logits.
"$LORY" tokenize -p "Once upon a time" | tr , '\n' | wc -l
"$LORY" run -p "Once upon a time" --temp 0 -c 8; echo
