/* ids.c - token ids as people and programs write them; see cli.h. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/cli.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
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

static size_t skip_space(const char *text, size_t i, size_t n)
{
    while (i < n && is_space(text[i])) i++;
    return i;
}

/* One id at text[*i]; *i moves behind it. */
static bool read_id(const char *subject, const char *text, size_t *i, size_t n, int n_vocab,
                    lory_tokens *out, lory_err *err)
{
    size_t start = *i, end = start;
    long long id = 0;
    while (end < n && is_digit(text[end])) {
        if (id < n_vocab) id = 10 * id + (text[end] - '0');
        end++;
    }
    bool is_whole =
        end > start && (end == n || is_space(text[end]) || text[end] == ',' || text[end] == ']');
    while (end < n && !is_whole && !is_space(text[end]) && text[end] != ',' && text[end] != ']')
        end++;
    int shown = end - start < 32 ? (int)(end - start) : 32;
    if (!is_whole)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: id %zu is not a token id (found \"%.*s\", expected 0 to %d)", subject,
                       out->n + 1, shown, text + start, n_vocab - 1);
    if (id >= n_vocab)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: id %zu is not in the vocabulary (found %.*s, expected 0 to %d)",
                       subject, out->n + 1, shown, text + start, n_vocab - 1);
    *i = end;
    return cli_add_id(out, (lory_token)id)
           || err_set(err, LORY_E_MEMORY, "%s: no memory for %zu ids", subject, out->n);
}

bool cli_read_ids(const char *subject, const char *text, size_t n, int n_vocab, lory_tokens *out,
                  lory_err *err)
{
    size_t i = skip_space(text, 0, n);
    bool is_array = i < n && text[i] == '[';
    if (is_array) i = skip_space(text, i + 1, n);
    bool needs_id = false; /* after a comma */
    while (i < n && !(is_array && text[i] == ']')) {
        if (!read_id(subject, text, &i, n, n_vocab, out, err)) return false;
        i = skip_space(text, i, n);
        needs_id = i < n && text[i] == ',';
        if (needs_id) i = skip_space(text, i + 1, n);
    }
    if (is_array && i == n)
        return err_set(err, LORY_E_ARGUMENT, "%s: the array of ids does not end", subject);
    if (needs_id) return err_set(err, LORY_E_ARGUMENT, "%s: no id after the last comma", subject);
    if (is_array && skip_space(text, i + 1, n) < n)
        return err_set(err, LORY_E_ARGUMENT, "%s: text after the array of ids", subject);
    return true;
}
