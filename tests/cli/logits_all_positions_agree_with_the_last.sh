"$LORY" logits --ids 1,300,400 --all > all
cut -c 1-9 all
for n in 1 2 3; do
    "$LORY" logits --ids "$(echo 1,300,400 | cut -d , -f 1-$n)" > one
    sed -n ${n}p all | cmp - one
done
