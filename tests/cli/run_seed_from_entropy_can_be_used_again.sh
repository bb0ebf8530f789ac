"$LORY" run -p "Once" -n 30 --stats 2> line > a
"$LORY" run -p "Once" -n 30 -s "$(sed 's/.*seed //' line)" > b
cmp a b
