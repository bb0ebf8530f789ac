# What Hadoop streaming and Spark's RDD.pipe do: each piece of the input through a process of its
# own. Lines that hold their seed give the same answers wherever they end up.
for i in $(seq 12); do echo "{\"id\": $i, \"prompt\": \"Tom $i\", \"max_tokens\": 6, \"seed\": $i}"; done > in.jsonl
"$LORY" batch -i in.jsonl -o want
split -n l/3 in.jsonl piece.
for p in piece.*; do "$LORY" batch < "$p"; done | cmp - want
