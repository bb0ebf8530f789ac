k256=$VECTORS/golden/llama-k256/model-q4_k_m-mix.gguf
try() { status=0; "$LORY" quantize "$@" || status=$?; echo $status; }
try
try "$k256" out.gguf
try "$k256" out.gguf q4_k_x
try "$k256" out.gguf q8_0 -t 0
try none.gguf out.gguf q8_0
echo text > text
try text out.gguf q8_0
cp "$k256" in.gguf
ln in.gguf link.gguf
try in.gguf in.gguf q8_0
try in.gguf link.gguf q8_0
cmp in.gguf "$k256"
rm in.gguf link.gguf
try "$k256" nowhere/out.gguf q8_0 2>&1 | grep -v 'quantised already'
try "$k256" out.gguf q8_0 --imatrix text
ls
