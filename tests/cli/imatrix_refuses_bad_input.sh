try() { status=0; "$LORY" imatrix "$@" || status=$?; echo $status; }
echo 'Once upon a time' > text
: > empty
try -m "$MODEL"
try -m "$MODEL" -f text
try -m "$MODEL" -f text -o out.gguf -c 1
try -m none.gguf -f text -o out.gguf
try -m "$MODEL" -f none.txt -o out.gguf
try -m "$MODEL" -f empty -o out.gguf
try -m "$MODEL" -f - -o out.gguf < empty
try -m "$MODEL" -f text -o nowhere/out.gguf
"$LORY" imatrix -m "$MODEL" -f text -o good.gguf
try -m good.gguf -f text -o out.gguf
ls
