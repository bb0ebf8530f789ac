"$LORY" run -p "Once upon a time" --temp 0 -n 4 --logprobs 2
