cp "$VECTORS/llama2c/tiny.bin" alone.bin
echo "Once upon a time, there was a text." >text.bin
head -c 5000 alone.bin >cut.bin
printf 'PK\003\004 and so on, as archives go' >zip.bin
: >empty.bin
for f in . alone.bin text.bin cut.bin zip.bin empty.bin absent.bin; do
    if "$LORY" convert $f -o out.gguf; then echo "made from $f"; fi
done
! "$LORY" convert alone.bin -o out.gguf --tokenizer text.bin
! "$LORY" convert absent.bin -o out.gguf --base .
ls
