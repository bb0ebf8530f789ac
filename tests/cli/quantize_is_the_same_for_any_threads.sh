for t in q4_k_m iq2_s; do
    for n in 1 2 3 5; do
        "$LORY" quantize "$VECTORS/golden/llama-k256/model-q4_k_m-mix.gguf" $t-$n.gguf $t -t $n 2>/dev/null
        cmp $t-1.gguf $t-$n.gguf
    done
done
