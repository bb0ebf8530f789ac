head -c 100 "$MODEL" >cut.gguf
mkfifo pipe.gguf
echo "<!DOCTYPE html><html>" >page.gguf
for f in cut.gguf pipe.gguf page.gguf .; do
    if "$LORY" inspect $f; then echo "opened $f"; fi
done
