# Token 2 ends the text; it is forced, and then never drawn.
"$LORY" run -p "Once" --temp 0 -n 5 --logit-bias 2+1000; echo "|"
"$LORY" run -p "Once" --temp 0 -n 5 --logit-bias 2+1000 --ignore-eos --logprobs 0 | wc -l
