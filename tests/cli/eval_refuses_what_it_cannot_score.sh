: > nothing
"$LORY" eval -f nothing || echo $?
"$LORY" eval -f none || echo $?
"$LORY" eval -f . || echo $?
echo "Once upon a time there was a cat" | "$LORY" eval -c 2 || echo $?
echo "Once upon a time there was a cat" | "$LORY" eval -c 1 || echo $?
echo "Once upon a time there was a cat" | "$LORY" eval -c 128 --json 2> note | wc -l
sed 's/[0-9][0-9]* tokens/N tokens/' note
