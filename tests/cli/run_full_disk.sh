test -c /dev/full || exit 77
"$LORY" run -p "Once upon a time" -n 5 > /dev/full
