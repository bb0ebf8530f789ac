"$LORY" help chat | tee page
"$LORY" chat --help | cmp - page
