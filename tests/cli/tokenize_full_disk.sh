test -c /dev/full || exit 77
"$LORY" tokenize -p hi > /dev/full
