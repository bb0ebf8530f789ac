prompt="Once upon a time, there was a little girl who had a big red ball. She"
"$LORY" run -p "$prompt" -s 7 -n 40 -t 1 > want
for how in "-t 2" "-t 3" "-b 1" "-b 3" "-b 512 -t 2"; do
    "$LORY" run -p "$prompt" -s 7 -n 40 $how | cmp - want || echo "differs: $how"
done
LORY_ISA=generic "$LORY" run -p "$prompt" -s 7 -n 40 | cmp - want
