"$LORY" run -p "One.</s>" --temp 0 -n 4 --stats 2> plain; echo
"$LORY" run -p "One.</s>" --temp 0 -n 4 --stats --special 2> special; echo
sed 's/.*prompt \([0-9]*\) tokens.*/\1/' plain special
