# A link to an open file, as /dev/stdout is, stays what it is; lory batch writes behind what is there.
ln -s /proc/self/fd/1 link
try() { "$LORY" "$@" > to 2> err && echo "exit 0" || echo "exit $?"; cat err; readlink link; }
echo 'The cat sat. The cat sat.' > text
echo '{"prompt":"The","max_tokens":2}' > in
echo '/save link' > turns
try quantize "$MODEL" link q4_0
try convert "$MODEL" -o link --type f16
try imatrix -m "$MODEL" -f text -o link
try eval -m "$MODEL" -f text --save-logits link
try chat --template plain < turns
try batch -i in -o link --resume
echo before > to
"$LORY" batch -i in -o link >> to
sed 's/{.*"length".*/an answer/' to
ls | tr '\n' ' '
echo
