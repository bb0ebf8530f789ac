printf 'a\000b \377\376 \303' | "$LORY" run --temp 0 -n 3 > a
printf 'a\000b \377\376 \303' > prompt
"$LORY" run -f prompt --temp 0 -n 3 | cmp - a
