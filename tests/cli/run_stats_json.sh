"$LORY" run -p "Once upon a time" --temp 0 -n 5 -s 9 --stats=json 2> line
sed -E 's/("[a-z_]*(ms|per_s|bytes|drafted_tokens|accepted_tokens)"):[0-9.]+/\1:X/g' line >&2
