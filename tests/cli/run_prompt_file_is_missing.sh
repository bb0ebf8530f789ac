"$LORY" run -f no/such.txt
