yes "a dog and a cat" | head -c 5000 > long.txt
"$LORY" run -f long.txt
