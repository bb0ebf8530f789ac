"$LORY" help grammar | tee page
"$LORY" grammar --help | cmp - page
"$LORY" grammar -h | cmp - page
