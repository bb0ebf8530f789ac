# Before the work, not after: the text is not even looked for.
try() { "$LORY" "$@" || echo "exit $?"; }
try imatrix -f no-text -o no/place
try eval -f no-text --save-logits no/place
try quantize no.gguf no/place q4_0
echo hi | try chat -m "$BUNDLED" --save no/place
mkdir folder
try imatrix -f no-text -o folder
ls
