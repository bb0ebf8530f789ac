"$LORY" help run | tee page
"$LORY" run --help | cmp - page
"$LORY" run -h | cmp - page
