"$LORY" run -p "Once upon a time" --temp 0 -n 20 > mapped
"$LORY" run -p "Once upon a time" --temp 0 -n 20 --no-mmap > read
cmp mapped read && test -s read && echo same
