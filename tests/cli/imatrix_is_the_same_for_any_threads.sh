for i in 1 2 3 4 5 6 7 8; do echo "Once upon a time there was a cat number $i who liked to play."; done > text
for n in 1 2 5; do "$LORY" imatrix -m "$MODEL" -f text -o $n.gguf -c 32 -t $n; done
cmp 1.gguf 2.gguf
cmp 1.gguf 5.gguf
"$LORY" imatrix -m "$MODEL" -o stdin.gguf -c 32 --chunks 2 -f - < text
"$LORY" inspect --json 1.gguf | grep -o '"imatrix[^,]*' 
"$LORY" quantize "$MODEL" small.gguf iq2_s 2>&1 | grep poor
"$LORY" quantize "$MODEL" small.gguf iq2_s --imatrix 1.gguf 2>&1 | grep -c poor || true
"$LORY" logits -m small.gguf --ids 1,2,3 | cut -c 1-9
