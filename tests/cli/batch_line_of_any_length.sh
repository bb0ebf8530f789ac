# 20 MB without a newline, and a short line behind it.
{ head -c 20000000 /dev/zero | tr '\0' x; echo; echo '{"id": 2, "prompt": "The", "max_tokens": 0}'; } |
    "$LORY" batch -c 64 --stats=json 2> err || echo "exit $?"
peak=$(sed -n 's/.*"peak_memory_bytes":\([0-9]*\).*/\1/p' err)
test "$peak" -lt 200000000 || echo "takes $peak bytes"
