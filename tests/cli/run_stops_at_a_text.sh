"$LORY" run -p "Once upon a time" --temp 0 -n 60 --stop "girl"; echo "|"
"$LORY" run -p "Once upon a time" --temp 0 -n 60 --stop "xyzzy" --stop "lit" --stop "a little girl"; echo "|"
"$LORY" run -p "Once upon a time" --temp 0 -n 12 --stop "xyzzy"; echo "|"
