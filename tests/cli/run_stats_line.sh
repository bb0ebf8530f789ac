"$LORY" run -p "Once upon a time" --temp 0 -n 5 -s 9 --stats 2> line
sed 's/[0-9][0-9]*\.[0-9]/X/g' line >&2
