"$LORY" run -p "One.</s>" --temp 0 -n 4 --stats 2> plain; echo
"$LORY" run -p "One.</s>" --temp 0 -n 4 --stats --special 2> special; echo
sed 's/.*prompt \([0-9]*\) tokens.*/\1/' plain special
# a prompt as a template makes it has two of the token that begins a text, and is told so
echo '{"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": true}' |
    "$LORY" template -m "$BUNDLED" |
    "$LORY" run -m "$BUNDLED" --temp 0 -n 4 --special; echo
