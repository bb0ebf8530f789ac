# A field of a line does what the option does, each of them other than nothing.
answer() { echo "{\"prompt\": \"Tom and Tom and\", \"seed\": 1, \"max_tokens\": 40$1}" | "$LORY" batch ${2-}; }
answer '' > plain
while read -r field value option; do
    answer ", \"$field\": $value" > by_field
    answer '' "$option $value" | cmp - by_field
    ! cmp -s by_field plain || echo "$field changes nothing"
done << 'END'
temperature 3 --temp
top_k 1 --top-k
top_p 0.1 --top-p
min_p 0.5 --min-p
typical_p 0.2 --typical
repeat_penalty 1.5 --repeat-penalty
presence_penalty 2 --presence-penalty
frequency_penalty 2 --frequency-penalty
top_n_sigma 0.5 --top-n-sigma
xtc_probability 1 --xtc-probability
dynatemp_range 0.7 --dynatemp-range
dry_multiplier 5 --dry-multiplier
END
answer ', "repeat_penalty": 1.5, "repeat_last_n": 2' > by_field
answer '' '--repeat-penalty 1.5 --repeat-last-n 2' | cmp - by_field
answer ', "dynatemp_range": 0.7, "dynatemp_exponent": 3, "xtc_probability": 1, "xtc_threshold": 0.01' > by_field
answer '' '--dynatemp-range 0.7 --dynatemp-exp 3 --xtc-probability 1 --xtc-threshold 0.01' | cmp - by_field
answer ', "typical_p": 2' || echo "exit $?"
