printf 'The dog' > prompt
"$LORY" run -p "The dog" --temp 0 -n 8 > a
"$LORY" run -f prompt --temp 0 -n 8 > b
"$LORY" run --temp 0 -n 8 < prompt > c
"$LORY" run -f - --temp 0 -n 8 < prompt > d
cat prompt | "$LORY" run --temp 0 -n 8 > e
cmp a b && cmp a c && cmp a d && cmp a e && test -s a
