"$LORY" bench -p 8 -n 2 -d 3 -t 1,2 -r 2 --json | sed 's/\(_[a-z]*":\)[0-9.e+-]*\([,}]\)/\1N\2/g'
"$LORY" bench -p 0 -n 2 -t 1 -r 1 | sed -n 's/^\(generation *2 *0 *1\) .*%/\1/p'
