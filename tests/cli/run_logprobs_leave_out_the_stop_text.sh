"$LORY" run -p "Once upon a time" --temp 0 -n 60 --stop "little girl" --logprobs 0
