# a saved talk goes on with them, and a setting that is wrong leaves them alone
chat() { "$LORY" chat -m "$MODEL" --template plain -n 12 "$@" 2>> notes; }
dry="-s 3 --temp 0 --dry-multiplier 3 --dry-sequence-breaker e --dry-sequence-breaker ,"
printf 'A cat sat.\nA cat sat.\nA cat sat.\n' | chat $dry > whole
printf 'A cat sat.\nA cat sat.\nA cat sat.\n' | chat -s 3 --temp 0 --dry-multiplier 3 > other
cmp -s whole other && echo "the breakers change nothing" || true
printf 'A cat sat.\nA cat sat.\n/save talk\n' | chat $dry > parts
printf 'A cat sat.\n' | chat --load talk >> parts
cmp whole parts
printf '/set dry-base 1.75\nA cat sat.\n/save talk2\n' | chat --load talk > /dev/null
grep -a -o '"dry_breakers":\[[^]]*\]' talk2
printf '/set dry-sequence-breaker x\n' | chat --load talk || true
printf '/set nonsense 3\n' | chat --load talk || true
grep -v "stops here" notes
