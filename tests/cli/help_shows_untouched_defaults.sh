"$LORY" run -b 77 --top-k 3 --help > a
"$LORY" run --help > b
cmp a b
