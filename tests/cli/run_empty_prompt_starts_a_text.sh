"$LORY" run -p "" --temp 0 -n 8; echo
"$LORY" run --temp 0 -n 8 < /dev/null; echo
