/* token_check.c - see token_check.h. */
#include "token_check.h"
#include "base/mem.h"
#include "test.h"
#include "token/tokens.h"
#include <stdlib.h>

void token_open_tiny(tiny_vocab *v, tiny_kind kind)
{
    lory_err err = { 0 };
    if (!tiny_vocab_open(v, kind, &err))
        test_fail(__FILE__, __LINE__, "kind %d: %s", kind, err.text);
}

bool token_encode(const tokenizer *t, const char *s, size_t n, unsigned flags, lory_tokens *out)
{
    lory_err err = { 0 };
    tokenizer_text text = { s, n, flags, NULL, 0 };
    bool ok = tokenizer_encode(t, &text, out, &err);
    CHECK(ok, "%s", err.text);
    return ok;
}

void token_put_ids(buf *out, const lory_tokens *ids)
{
    for (size_t i = 0; i < ids->n; i++) buf_printf(out, "%s%d", i ? " " : "", ids->id[i]);
}

void token_check_ids(int line, const tokenizer *t, const char *s, unsigned flags, const char *want)
{
    lory_tokens ids = { 0 };
    buf got = { 0 };
    buf_puts(&got, "");
    token_encode(t, s, strlen(s), flags, &ids);
    token_put_ids(&got, &ids);
    if (strcmp(got.data, want) != 0)
        test_fail(__FILE__, line, "\"%s\": got %s, want %s", s, got.data, want);
    mem_free(ids.id);
    buf_free(&got);
}

void token_decode(const tokenizer *t, const lory_tokens *ids, unsigned flags, bool continues,
                  buf *out)
{
    detok d;
    lory_err err;
    const char *s;
    size_t n;
    detok_init(&d, t, flags, continues);
    for (size_t i = 0; i < ids->n; i++) {
        CHECK(detok_put(&d, ids->id[i], &s, &n, &err));
        buf_put(out, s, n);
    }
    detok_flush(&d, &s, &n);
    buf_put(out, s, n);
    detok_free(&d);
}

void token_check_text(int line, const tokenizer *t, const char *ids_text, unsigned flags,
                      const char *want)
{
    lory_tokens ids = { 0 };
    buf got = { 0 };
    buf_puts(&got, "");
    for (char *end; *ids_text; ids_text = end)
        tokens_put(&ids, (int)strtol(ids_text, &end, 10), NULL);
    token_decode(t, &ids, flags, false, &got);
    if (strcmp(got.data, want) != 0)
        test_fail(__FILE__, line, "got \"%s\", want \"%s\"", got.data, want);
    mem_free(ids.id);
    buf_free(&got);
}
