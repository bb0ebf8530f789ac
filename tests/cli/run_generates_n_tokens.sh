for n in 0 1 5; do
    "$LORY" run -p "Once upon a time" --temp 0 -n $n --logprobs 0 | wc -l
done
