"$LORY" bench --parallel 4 -n 1000 --json || echo $?
"$LORY" bench --parallel 0 || echo $?
"$LORY" bench -d 100000 || echo $?
"$LORY" bench -r 0 || echo $?
"$LORY" bench -m none || echo $?
"$LORY" bench -p 0 -n 0 || echo $?
