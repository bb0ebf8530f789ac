"$LORY" bench -p 8 -n 2 -d 0,70 -t 1,2 -r 2 --json | sed 's/\(_[a-z]*":\)[0-9.e+-]*\([,}]\)/\1N\2/g'
"$LORY" bench -p 4 -n 2 -d 5 -t 2 -r 2 --parallel 1,3 --json | sed 's/.*\("parallel":[0-9]*\).*"limit_share":\(0\.0*[1-9]\|[1-9]\).*/\1/'
"$LORY" bench -p 0 -n 2 -t 1 -r 1 --parallel 1,5 | sed -n 's/^\(generation *2 *0 *1\) .*%/\1/p; s/^\(5 at once *2 *0 *1\) .*%/\1/p'
