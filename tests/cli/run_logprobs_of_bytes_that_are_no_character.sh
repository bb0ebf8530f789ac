# Token 198 is the byte C3, token 44 the byte 29: together no character.
"$LORY" run -p "Once" --temp 0 -n 1 --logit-bias 198+1000 --logprobs 1
