mkdir folder
"$LORY" run -m folder -p hi
