# llama.cpp's perplexity tool at the same context says 4.3626 +/- 0.098
[ -n "$SHARED" ] || exit 77
"$LORY" eval -m "$SHARED/models/stories3M-f32.gguf" -f "$SHARED/models/ppl_sample_60k.txt" -c 256
