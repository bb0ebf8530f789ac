"$LORY" run -p "Once upon" -n 20 --temp 0 > a
"$LORY" run -p "Once upon" -n 20 --top-k 1 --temp 5 > b
cmp a b
