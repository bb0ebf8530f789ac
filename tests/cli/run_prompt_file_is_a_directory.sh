mkdir folder
"$LORY" run -f folder
