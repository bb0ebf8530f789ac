ids=$(seq -s , 1 40)
"$LORY" logits --ids $ids --all -t 1 > want
for how in "-t 2" "-t 3" "-t 4 -b 1" "-b 3" "-b 32" "-b 512"; do
    "$LORY" logits --ids $ids --all $how | cmp - want || echo "differs: $how"
done
LORY_ISA=generic "$LORY" logits --ids $ids --all | cmp - want
