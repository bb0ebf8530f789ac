try() { "$LORY" "$@" 2> err || { echo "exit $?"; sed 's|(/.*/|(|' err; }; }
cp "$MODEL" m.gguf
echo "Once upon a time there was a cat who liked to sing." > text
cp m.gguf want && cp text want.text
echo "[]" > tools
try imatrix -m m.gguf -f text -o text
try imatrix -m m.gguf -f text -o ./m.gguf
try eval -m m.gguf -f text --save-logits text
try eval -m m.gguf -f text --save-logits m.gguf
try eval -m m.gguf -f text --save-logits logits > said
try eval -m m.gguf -f text --kl logits --save-logits logits
try chat -m m.gguf --save m.gguf < text
try chat -m m.gguf --tools tools --save tools < text
try chat -m m.gguf --system @text --save text < text
try chat -m m.gguf --template tools --save tools < text
try chat --model-draft m.gguf --save m.gguf < text
try chat --lora m.gguf:0.5 --save m.gguf < text
try eval --lora m.gguf:0.5 -f text --save-logits m.gguf
echo "/save m.gguf" | try chat -m m.gguf --template plain
echo "/save -" | try chat -m m.gguf --template plain
LORY_MODEL=m.gguf try imatrix -f text -o m.gguf
cmp m.gguf want && cmp text want.text
# of a model in several files that is each of them
cp m.gguf s-00001-of-00003.gguf && cp text s-00003-of-00003.gguf
ln -s s-00003-of-00003.gguf link
try imatrix -m s-00001-of-00003.gguf -f text -o s-00003-of-00003.gguf
try eval -m s-00001-of-00003.gguf -f text --save-logits link
try chat -m s-00001-of-00003.gguf --save s-00003-of-00003.gguf < text
echo "/save link" | try chat -m s-00001-of-00003.gguf --template plain
try batch -m s-00001-of-00003.gguf -i /dev/null -o s-00003-of-00003.gguf
try convert s-00001-of-00003.gguf -o s-00003-of-00003.gguf
try quantize s-00001-of-00003.gguf s-00003-of-00003.gguf q4_0
cmp text s-00003-of-00003.gguf && rm s-* link
# nor is standard output such a file
try imatrix -m m.gguf -f text -o -
try quantize m.gguf - q4_0
try convert m.gguf -o -
try eval -m m.gguf -f text --save-logits -
try chat -m m.gguf --save - < text
ls | grep -v err
