# A byte order mark, CRLF, no newline at the end.
printf '{"id": 1, "prompt": "Tom", "max_tokens": 3}\n{"id": 2, "prompt": "A", "max_tokens": 3}' > plain
printf '\357\273\277{"id": 1, "prompt": "Tom", "max_tokens": 3}\r\n{"id": 2, "prompt": "A", "max_tokens": 3}\r' > windows
"$LORY" batch -i plain -o want && cat want
"$LORY" batch -i windows | cmp - want
"$LORY" batch < windows | cmp - want
cat windows | "$LORY" batch | cmp - want
# Bytes 0, blank lines, marks on other lines (of files put together) and within one, and names that are there twice.
printf '{"id": 1, "prompt": "a\0b"}\n \t\r\n\357\273\277{"id": 3, "prompt": "Tom", "max_tokens": 3}\n{\357\273\277}\n\0\n{"id": 5, "id": 6, "prompt": "a\\u0000b", "max_tokens": 0}\n   ' > odd
"$LORY" batch -i odd || echo "exit $?"
: > none
"$LORY" batch -i none -o out && "$LORY" batch -i none -o out --resume && test ! -s out
