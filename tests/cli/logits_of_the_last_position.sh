"$LORY" logits --ids 1,300,400 > last
sed 's/^\({"pos":2,"logits":\[\)[^]]*\]}$/\1...]}/' last
tr , '\n' < last | wc -l
