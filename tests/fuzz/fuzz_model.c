/* fuzz_model.c - a whole model from any bytes: what opens must tokenize, evaluate and draw, or say
 * in one line that names the file why it does not. */
#include "fuzz_files.h"

/* A few tokens of whatever the vocabulary makes of a short text, then one draw. */
static void evaluate(lory_model *m, lory_session *s, lory_err *err)
{
    static const char text[] = "ab a  b";
    lory_tokens ids = { 0 };
    lory_model_info info;
    lory_sampler_params params;
    lory_model_get_info(m, &info);
    MUST(lory_tokenize(m, text, strlen(text), LORY_ADD_SPECIAL, &ids, err) || fuzz_is_line(err));
    if (ids.n > 8) ids.n = 8;
    for (size_t i = 0; i < ids.n; i++) MUST(ids.id[i] >= 0 && ids.id[i] < info.n_vocab);
    lory_sampler_defaults(m, &params);
    lory_sampler *sampler = lory_sampler_new(m, &params, err);
    MUST(sampler || fuzz_is_line(err));
    if (ids.n > 0) {
        bool ok = lory_session_eval(s, ids.id, ids.n, err);
        MUST(ok || fuzz_is_line(err));
        lory_token id = -1;
        if (ok && sampler) {
            ok = lory_sampler_draw(sampler, lory_session_logits(s), ids.id, ids.n, ids.n, &id, err);
            MUST(ok ? id >= 0 && id < info.n_vocab : fuzz_is_line(err));
        }
    }
    lory_sampler_free(sampler);
    lory_tokens_free(&ids);
}

int fuzz_model(const uint8_t *data, size_t n)
{
    lory_session_params params = { .n_ctx = 16, .n_batch = 4, .n_threads = 1 };
    lory_err err = { 0 };
    fuzz_file f = fuzz_file_open(data, n);
    lory_model *m = lory_model_open(f.path, &err);
    close(f.fd);
    if (!m) {
        MUST(fuzz_names(&err, f.path));
        return 0;
    }
    lory_session *s = lory_session_new(m, &params, &err);
    MUST(s || fuzz_is_line(&err)); /* a vocabulary alone, or no architecture that lory knows */
    if (s) evaluate(m, s, &err);
    lory_session_free(s);
    lory_model_close(m);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_model)
#endif
