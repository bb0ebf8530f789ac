test -c /dev/full || exit 77
"$LORY" help > /dev/full
