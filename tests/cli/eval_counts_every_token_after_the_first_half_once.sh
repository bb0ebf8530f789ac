# 26 tokens: windows of 8, 8, 8 and 2, of which 3, 3, 3 and 0 come after index 4, the end of a first half
"$LORY" tokenize -p "Once upon a time there was a little girl. She had a big red ball. She" --bos > ids
tr , '\n' < ids | wc -l
text() { "$LORY" tokenize --decode < ids; }
for n in 8 7 6 28 27; do
    text | "$LORY" eval -c $n --json | sed "s/.*\"n_tokens\":\([0-9]*\),.*/-c $n: \1/"
    text | "$LORY" eval -c $n --json --all-tokens | sed "s/.*\"n_tokens\":\([0-9]*\),.*/-c $n all: \1/"
done
