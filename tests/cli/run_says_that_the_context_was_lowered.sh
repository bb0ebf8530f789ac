# A copy of the model that claims a context of 2^30 tokens, whose cache no machine has memory for.
key=$(grep -abo context_length "$MODEL" | head -n 1 | cut -d : -f 1)
{ head -c $((key + 18)) "$MODEL"; printf '\000\000\000\100'; tail -c +$((key + 23)) "$MODEL"; } > big.gguf
"$LORY" run -m big.gguf -p "Once upon a time" --temp 0 -n 4 2> note
sed 's/ to [0-9]* tokens/ to N tokens/' note >&2
