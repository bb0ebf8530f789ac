echo "The dog saw three birds in the tree and barked at them all day." > text
echo "The dog saw three bears in the tree and barked at them all day." > other
"$LORY" eval -f text -c 8 --save-logits saved > plain
"$LORY" eval -f text -c 10 --kl saved || echo $?
"$LORY" eval -f other -c 8 --kl saved || echo $?
"$LORY" eval -f text -c 8 --kl text || echo $?
"$LORY" eval -f text -c 8 --kl none || echo $?
head -c 2000 saved > cut
"$LORY" eval -f text -c 8 --kl cut 2>&1 | sed 's/(found.*//'
