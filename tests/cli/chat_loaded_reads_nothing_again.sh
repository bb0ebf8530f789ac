chat() { "$LORY" chat -m "$MODEL" --template plain "$@" 2> notes; }
go_on() { printf 'And then?\n/stats\n' | chat --load "$@"; grep -o '[0-9]* of them new' notes >> new; grep -v stats notes | grep 'read again' || true; }
printf 'A cat sat.\nWhat then?\nAnd then?\n' | chat -s 3 -n 12 --logit-bias 300-1 --stop Lily | tail -n 1 > whole
printf 'A cat sat.\nWhat then?\n' | chat -s 3 -n 12 --logit-bias 300-1 --stop Lily --save talk > /dev/null
go_on talk > one
cmp whole one
echo "-- without the cache, and where it is damaged, the same text with a note"
printf 'A cat sat.\nWhat then?\n' | chat -s 3 -n 12 --logit-bias 300-1 --stop Lily --no-kv --save bare > /dev/null
go_on bare > one; cmp whole one
head -c -5 talk > cut; go_on cut > one; head -n 1 one | cmp whole -; tail -n 1 one
cat new
echo "-- what the command line says counts"
printf 'And then?\n/set\n' | chat --load talk --temp 0 -n 3 > /dev/null; grep -e temp -e predict -e seed notes
echo "-- another type of cache"
printf 'And then?\n' | chat --load talk --cache-type f32 > /dev/null; grep talk notes
ls -l talk bare | awk '{ print ($5 > 2000) }'
