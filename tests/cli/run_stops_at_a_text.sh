"$LORY" run -p "Once upon a time" --temp 0 -n 60 --stop "girl"; echo "|"
"$LORY" run -p "Once upon a time" --temp 0 -n 60 --stop "xyzzy" --stop "lit" --stop "a little girl"; echo "|"
"$LORY" run -p "Once upon a time" --temp 0 -n 12 --stop "xyzzy"; echo "|"
# A control token has no text that could be found; one whose name is a stop text ends the text, and what was held back comes.
echo 'root ::= "Hi there" <|user|> " more"' > g.gbnf
for stop in 'xyz' '<|user|>' '<|user' 'there is'; do
    "$LORY" run -m "$BUNDLED" -p "A" --grammar g.gbnf --stop "there is" --stop "$stop"; echo "|"
done
echo '{"prompt": "A", "stop": "<|user|>"}' | "$LORY" batch -m "$BUNDLED" --grammar g.gbnf | grep -o '"text.*reason":"stop"'
