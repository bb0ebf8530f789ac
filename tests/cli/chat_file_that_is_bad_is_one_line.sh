chat() { echo hello | "$LORY" chat -m "$MODEL" --template plain -n 4 "$@" || echo "exit $?"; }
chat --save talk -s 1 > /dev/null 2>&1
echo "not a talk" > text
printf '' > empty
sed 's/hello/hullo/' talk > changed
head -c 200 talk > cut
sed '1s/"version":2/"version":3/' talk > newer
head -c -1 talk > no_end
for f in text empty changed cut newer missing . no_end; do chat --load $f; done
chat --load talk --system x
