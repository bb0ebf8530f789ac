"$LORY" run -m "" -p hi
