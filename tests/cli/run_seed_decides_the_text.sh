"$LORY" run -p "Once" -n 30 -s 1 > a
"$LORY" run -p "Once" -n 30 -s 1 > b
"$LORY" run -p "Once" -n 30 -s 2 > c
cmp a b
cmp -s a c && echo "seeds 1 and 2 agree" || true
