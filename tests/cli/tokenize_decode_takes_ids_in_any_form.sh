"$LORY" tokenize --no-bos -p "a little girl" > ids
"$LORY" tokenize --decode < ids; echo
tr -d '[]' < ids | "$LORY" tokenize --decode; echo
tr -d '[]' < ids | tr , ' ' | "$LORY" tokenize --decode; echo
tr -d '[]' < ids | tr , '\n' | "$LORY" tokenize --decode; echo
sed 's/,/ ,\n /g; s/\[/ [ /; s/\]/ ] /' ids | "$LORY" tokenize --decode; echo
"$LORY" tokenize --decode -p "$(cat ids)"; echo
{ printf '\357\273\277'; cat ids; } | "$LORY" tokenize --decode; echo
