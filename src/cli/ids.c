/* ids.c - token ids as people and programs write them; see cli.h. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/cli.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool cli_add_id(lory_tokens *t, lory_token id)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        lory_token *grown = mem_resize(t->id, t->cap, cap, sizeof *grown);
        if (!grown) return false;
        t->id = grown;
        t->cap = cap;
    }
    t->id[t->n++] = id;
    return true;
}

/* Where the text is read: an id ends at white space, a comma or the end of its array. */
typedef struct {
    const char *subject, *text;
    size_t i, n;
    bool is_array;
} reader;

static void skip_space(reader *r)
{
    while (r->i < r->n && is_space(r->text[r->i])) r->i++;
}

static bool at_array_end(const reader *r)
{
    return r->is_array && r->i < r->n && r->text[r->i] == ']';
}

static bool at_id_end(const reader *r)
{
    return r->i == r->n || is_space(r->text[r->i]) || r->text[r->i] == ',' || at_array_end(r);
}

static bool read_id(reader *r, int n_vocab, lory_tokens *out, lory_err *err)
{
    const char *word = r->text + r->i;
    size_t start = r->i;
    bool is_number = !at_id_end(r);
    long long id = 0;
    for (; !at_id_end(r); r->i++) {
        char c = r->text[r->i];
        is_number = is_number && c >= '0' && c <= '9';
        if (is_number && id < n_vocab) id = 10 * id + (c - '0');
    }
    int n_shown = r->i - start < 32 ? (int)(r->i - start) : 32;
    if (!is_number || id >= n_vocab)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: id %zu is not %s (found \"%.*s\", expected 0 to %d)", r->subject,
                       out->n + 1, is_number ? "in the vocabulary" : "a token id", n_shown, word,
                       n_vocab - 1);
    return cli_add_id(out, (lory_token)id)
           || err_set(err, LORY_E_MEMORY, "%s: no memory for %zu ids", r->subject, out->n);
}

bool cli_read_ids(const char *subject, const char *text, size_t n, int n_vocab, lory_tokens *out,
                  lory_err *err)
{
    reader r = { .subject = subject, .text = text, .i = utf8_mark(text, n), .n = n };
    bool needs_id = false; /* after a comma */
    skip_space(&r);
    r.is_array = n > r.i && text[r.i] == '[';
    if (r.is_array) r.i++, skip_space(&r);
    while (r.i < n && !at_array_end(&r)) {
        if (!read_id(&r, n_vocab, out, err)) return false;
        skip_space(&r);
        needs_id = r.i < n && text[r.i] == ',';
        if (needs_id) r.i++, skip_space(&r);
    }
    if (r.is_array && r.i == n)
        return err_set(err, LORY_E_ARGUMENT, "%s: the array of ids does not end", subject);
    if (needs_id) return err_set(err, LORY_E_ARGUMENT, "%s: no id after the last comma", subject);
    if (!r.is_array) return true;
    r.i++, skip_space(&r);
    return r.i == n || err_set(err, LORY_E_ARGUMENT, "%s: text after the array of ids", subject);
}
