"$LORY" run -p "Once upon a time" --temp 0 -n 6 --echo; echo
printf ' odd \377\000 bytes\n' > prompt
"$LORY" run -f prompt --temp 0 -n 0 --echo | cmp - prompt
