chat() { "$LORY" chat -m "$MODEL" --template plain "$@" 2> /dev/null; }
printf 'A cat sat.\nWhat then?\nAnd then?\n/retry\nThe end?\n' | chat -s 3 --temp 1.2 --top-k 30 -n 12 > whole
printf 'A cat sat.\nWhat then?\n' | chat -s 3 --temp 1.2 --top-k 30 -n 12 --save talk > parts
printf 'And then?\n/retry\nThe end?\n' | chat --load talk >> parts
cmp whole parts
printf '/set temp 0\n/system Be kind.\n/save talk2\nGo on.\n' | chat --load talk > one
printf 'Go on.\n' | chat --load talk2 > two
cmp one two
ls
printf '/save again\n' | chat --load talk --no-kv --save last
cmp again last                                         # a file that is loaded and kept is the same
printf '/save once\n' | chat --load again --no-kv
cmp again once
printf 'Go on.\n' | "$LORY" chat -m "$MODEL" --template chatml --load again 2>&1 > other | grep -o 'another template'
wc -l < other
