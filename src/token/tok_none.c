/* tok_none.c - a model without a vocabulary (tokenizer.ggml.model "no_vocab" or "none"): it has
 * ids, but no text becomes one, and none of them is text.
 * Layer: token. */
#include "base/err.h"
#include "base/mem.h"
#include "token/kind.h"

static bool init(tokenizer *t, lory_err *err)
{
    (void)t;
    (void)err;
    return true;
}

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    (void)scratch;
    (void)s;
    (void)out;
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: the model has no vocabulary, so that text of %zu bytes has no ids",
                   t->v.path, n);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    (void)t;
    (void)n;
    return mem_new(1, 1);
}

const tokenizer_kind kind_none = {
    .name = "no_vocab",
    .defaults = { .bos = -1, .eos = -1, .unk = -1, .sep = -1, .pad = -1, .mask = -1 },
    .init = init,
    .scratch_new = scratch_new,
    .scratch_free = mem_free,
    .encode = encode,
};
