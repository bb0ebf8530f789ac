"$LORY" help logits | tee page
"$LORY" logits --help | cmp - page
"$LORY" logits -h | cmp - page
