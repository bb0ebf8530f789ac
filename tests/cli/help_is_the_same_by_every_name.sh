"$LORY" help > a
"$LORY" --help > b
"$LORY" -h > c
"$LORY" > d
"$LORY" help help > e
cmp a b && cmp a c && cmp a d && cmp a e
