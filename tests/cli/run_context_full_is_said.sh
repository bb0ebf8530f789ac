"$LORY" run -p "Once upon a time" --temp 0 -c 12; echo
"$LORY" run -p "Once upon a time" --temp 0 -c 12 -n 3; echo
