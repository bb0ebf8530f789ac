text="Once upon a time, there was a little girl named Lily. She liked to play outside"
i=0
while [ $i -lt 20 ]; do
    i=$((i + 1))
    case $((i % 4)) in
    0) echo "{\"id\": $i, \"prompt\": \"$text in the sun $i\", \"max_tokens\": $((i % 13))}" ;;
    1) echo "{\"id\": $i, \"prompt\": \"$text with her cat $i\", \"max_tokens\": $((i % 9)), \"n\": 2}" ;;
    2) echo "{\"id\": $i, \"prompt\": \"Tom $i\", \"max_tokens\": 9, \"stop\": \"a\", \"logprobs\": 1}" ;;
    3) echo "{\"custom_id\": \"$i\", \"url\": \"/v1/completions\", \"body\": {\"prompt\": \"$text\", \"max_tokens\": 5}}" ;;
    esac
done > in.jsonl
"$LORY" batch -i in.jsonl -o want -t 1 --parallel 1
for how in "-t 2 --parallel 3" "-t 3 --parallel 16" "-t 4 --parallel 64" "--parallel 32 -b 33" \
    "--parallel 8 -c 256 --kv-size 256" "--parallel 8 -b 8"; do
    "$LORY" batch -i in.jsonl $how | cmp - want || echo "differs: $how"
done
head -n 4 in.jsonl > few.jsonl && head -n 4 want > few
LORY_ISA=generic "$LORY" batch -i few.jsonl | cmp - few
