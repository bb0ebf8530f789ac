/* fuzz_lora.c - any bytes as a LoRA adapter for a small model: refused in one line that names the
 * file, or a session with it gives logits or says why not. */
#include "fuzz_files.h"

static void evaluate(lory_model *m, const lory_lora *l)
{
    static const lory_token ids[] = { 1, 5, 7 };
    lory_lora_use use = { l, 0.5f };
    lory_session_params p = {
        .n_ctx = 16, .n_threads = 1, .n_batch = 4, .lora = &use, .n_lora = 1
    };
    lory_err err = { 0 };
    lory_session *s = lory_session_new(m, &p, &err);
    MUST((s && lory_session_eval(s, ids, 3, &err)) || fuzz_is_line(&err));
    lory_session_free(s);
}

int fuzz_lora(const uint8_t *data, size_t n)
{
    lory_err err = { 0 };
    lory_model *m = lory_model_open("tests/fuzz/seeds/gguf/llama.gguf", &err); /* owns adapters */
    fuzz_file f = fuzz_file_open(data, n);
    MUST(m);
    const lory_lora *l = lory_lora_open(m, f.path, &err);
    close(f.fd);
    if (l)
        evaluate(m, l);
    else
        MUST(fuzz_names(&err, f.path));
    lory_model_close(m);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_lora)
#endif
