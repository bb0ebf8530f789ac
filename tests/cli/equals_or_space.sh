# The same option in each of its forms; the last one counts.
"$LORY" tokenize --prompt=a > a
"$LORY" tokenize --prompt a > b
"$LORY" tokenize -p a > c
"$LORY" tokenize -p=a > d
"$LORY" tokenize -p b --prompt a > e
cmp a b && cmp a c && cmp a d && cmp a e
