# The same seed, prompt and settings give the same text.
for s in 1 2 3; do
    "$LORY" run -p "Once upon a time" -s $s -n 20 > text
    printf '{"prompt": "Once upon a time", "seed": %d, "max_tokens": 20}\n' $s | "$LORY" batch |
        sed 's/.*"text":"\(.*\)","finish_reason.*/\1/; s/\\"/"/g; s/\\n/\n/g' > answer
    cmp text answer 2> /dev/null || { echo >> text && cmp text answer; }
done
# without one, it comes from --seed and the line's number
yes '{"prompt": "Once upon a time", "max_tokens": 20}' | head -n 3 > in
"$LORY" batch -i in > a
test "$(sort -u a | wc -l)" = 3
"$LORY" batch -i in -s 1 | cmp -s - a && echo "the seed changes nothing" || true
