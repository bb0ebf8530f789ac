/* data.c - texts and conversations as tokens, and windows of them. */
#include "data.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "../corpus/strings.h"
#include "text/json.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_BYTES = 1 << 30, /* of a file */
    PIECE = 2048,        /* tokens: longer documents become pieces of it, to be shuffled */
};
#define SEPARATOR "<|endoftext|>"

/* ---- documents ---------------------------------------------------------------------------- */

static bool put_doc_start(data_source *s, lory_err *err)
{
    if (s->n_docs + 1 >= s->docs_cap) {
        size_t cap = s->docs_cap ? 2 * s->docs_cap : 1024;
        size_t *doc = mem_resize(s->doc, s->docs_cap, cap, sizeof *doc);
        if (!doc) return err_set(err, LORY_E_MEMORY, "%s: out of memory", s->name);
        s->doc = doc;
        s->docs_cap = cap;
    }
    s->doc[s->n_docs] = s->n;
    s->doc[s->n_docs + 1] = s->n;
    return true;
}

static bool put_token(data_source *s, lory_token id, bool is_target, lory_err *err)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 1 << 16;
        lory_token *token = mem_resize(s->token, s->cap, cap, sizeof *token);
        if (!token) return err_set(err, LORY_E_MEMORY, "%s: out of memory", s->name);
        s->token = token;
        s->cap = cap;
    }
    s->token[s->n++] = is_target ? id : -1 - id;
    return true;
}

static void end_doc(data_source *s)
{
    if (s->n > s->doc[s->n_docs]) s->doc[++s->n_docs] = s->n;
}

/* Tokens of a text as a document, or several when it is long: those do not begin where a text
 * begins, so their first token is not to be predicted. */
static bool put_ids(data_source *s, const lory_tokens *ids, lory_err *err)
{
    bool ok = put_doc_start(s, err);
    for (size_t i = 0; ok && i < ids->n; i++) {
        bool is_cut = i > 0 && i % PIECE == 0;
        if (is_cut) end_doc(s);
        ok = (!is_cut || put_doc_start(s, err)) && put_token(s, ids->id[i], !is_cut, err);
    }
    return ok;
}

/* Appends what a text ends with: the separator, when the model knows it as an end, or its end
 * token. */
static bool put_end(data_source *s, const lory_model *m, lory_err *err)
{
    static const char end[] = "\n" SEPARATOR;
    lory_tokens ids = { 0 };
    bool ok = lory_tokenize(m, end, sizeof end - 1, 0, &ids, err), is_known = false;
    for (size_t i = 0; i < ids.n; i++) is_known |= lory_token_is_end(m, ids.id[i]);
    for (size_t i = 1; ok && is_known && i < ids.n; i++) /* without the blank of the beginning */
        ok = put_token(s, ids.id[i], true, err);
    if (ok && !is_known && lory_token_eos(m) >= 0) ok = put_token(s, lory_token_eos(m), true, err);
    lory_tokens_free(&ids);
    return ok;
}

static bool put_text(data_source *s, const lory_model *m, const char *text, size_t n,
                     data_text kind, lory_err *err)
{
    lory_tokens ids = { 0 };
    bool ok = lory_tokenize(m, text, n, 0, &ids, err) && put_ids(s, &ids, err);
    if (ok && kind == DATA_TEXTS && ids.n > 0) ok = put_end(s, m, err);
    if (ok) end_doc(s);
    s->n_bytes += n;
    lory_tokens_free(&ids);
    return ok;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool finish(data_source *s, lory_err *err)
{
    if (s->n_docs == 0) return err_set(err, LORY_E_FORMAT, "%s: holds no text", s->name);
    if (s->n_docs > UINT32_MAX)
        return err_set(err, LORY_E_FORMAT, "%s: too many documents", s->name);
    mem_free(s->order);
    s->order = mem_new(s->n_docs, sizeof *s->order);
    return s->order ? true : err_set(err, LORY_E_MEMORY, "%s: out of memory", s->name);
}

bool data_read_text(data_source *s, const char *path, const lory_model *m, data_text kind,
                    lory_err *err)
{
    buf text = { 0 };
    s->name = path;
    bool ok = file_read(path, MAX_BYTES, &text, err);
    const char *at = text.data, *end = text.data + text.len;
    while (ok && at < end) {
        const char *cut = kind == DATA_RUNNING
                              ? NULL
                              : memmem(at, (size_t)(end - at), SEPARATOR, strlen(SEPARATOR));
        const char *from = at, *to = cut ? cut : end;
        while (from < to && is_blank(*from)) from++;
        while (to > from && is_blank(to[-1])) to--;
        ok = to == from || put_text(s, m, from, (size_t)(to - from), kind, err);
        at = cut ? cut + strlen(SEPARATOR) : end;
    }
    buf_free(&text);
    return ok && finish(s, err);
}

/* ---- conversations ------------------------------------------------------------------------ */

typedef struct {
    const lory_model *m;
    const char *path;
    int64_t line; /* from 1 */
} chat_file;

/* Appends the tokens of the first n messages as the template has them. */
static bool render(const chat_file *f, const json *messages, size_t n, bool asks, lory_tokens *out,
                   lory_err *err)
{
    buf vars = { 0 };
    json_writer w = { .out = &vars };
    json_begin_object(&w);
    json_put_key(&w, "messages");
    json_begin_array(&w);
    for (const json *j = messages->first; j && n > 0; j = j->next, n--) json_put_value(&w, j);
    json_end_array(&w);
    json_put_key(&w, "add_generation_prompt");
    json_put_bool(&w, asks);
    json_end_object(&w);
    lory_template t = { 0 };
    t.text = lory_model_chat_template(f->m, NULL, &t.n);
    lory_prompt prompt = { 0 };
    bool ok = !vars.failed || err_set(err, LORY_E_MEMORY, "%s: out of memory", f->path);
    ok = ok && lory_render_template(f->m, &t, vars.data, vars.len, &prompt, err)
         && lory_tokenize_prompt(f->m, &prompt, out, err);
    lory_prompt_free(&prompt);
    buf_free(&vars);
    return ok;
}

/* The tokens from `from` on that the assistant's message number i brings are targets. */
static bool put_reply(data_source *s, const chat_file *f, const json *messages, size_t i,
                      size_t *from, lory_err *err)
{
    lory_tokens before = { 0 }, after = { 0 };
    bool ok = render(f, messages, i, true, &before, err)
              && render(f, messages, i + 1, false, &after, err);
    if (ok
        && (before.n > after.n || before.n < *from
            || memcmp(before.id, after.id, before.n * sizeof *after.id) != 0))
        ok = err_set(err, LORY_E_FORMAT,
                     "%s, line %lld: the template writes the messages before reply %zu differently "
                     "with it",
                     f->path, (long long)f->line, i);
    for (size_t k = *from; ok && k < after.n; k++) {
        if (k == 0 && after.id[k] == lory_token_bos(f->m)) continue; /* a window brings its own */
        ok = put_token(s, after.id[k], k >= before.n, err);
    }
    *from = after.n;
    lory_tokens_free(&before);
    lory_tokens_free(&after);
    return ok;
}

static bool put_conversation(data_source *s, const chat_file *f, const json *root, lory_err *err)
{
    const json *messages = json_get(root, "messages");
    if (!messages || messages->type != JSON_ARRAY)
        return err_set(err, LORY_E_FORMAT, "%s, line %lld: no list \"messages\"", f->path,
                       (long long)f->line);
    size_t i = 0, from = 0;
    bool ok = put_doc_start(s, err);
    for (const json *j = messages->first; ok && j; j = j->next, i++)
        if (json_str_is(json_get(j, "role"), "assistant"))
            ok = put_reply(s, f, messages, i, &from, err);
    if (ok) end_doc(s);
    return ok;
}

bool data_read_chat(data_source *s, const char *path, const lory_model *m, lory_err *err)
{
    buf text = { 0 };
    chat_file f = { m, path, 0 };
    size_t n_template;
    s->name = path;
    if (!lory_model_chat_template(m, NULL, &n_template))
        return err_set(err, LORY_E_ARGUMENT, "%s: the vocabulary has no chat template", path);
    bool ok = file_read(path, MAX_BYTES, &text, err);
    const char *end = text.data + text.len;
    for (const char *at = text.data; ok && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        f.line++;
        json_doc d;
        if (stop > at) {
            char where[PATH_MAX + 32];
            snprintf(where, sizeof where, "%s, line %lld", path, (long long)f.line);
            ok = json_read(&d, at, (size_t)(stop - at), where, err);
            if (ok) {
                ok = put_conversation(s, &f, d.root, err);
                json_close(&d);
            }
        }
        at = stop + 1;
    }
    buf_free(&text);
    return ok && finish(s, err);
}

void data_free(data_source *s)
{
    mem_free(s->token);
    mem_free(s->doc);
    mem_free(s->order);
    *s = (data_source){ 0 };
}

/* ---- pieces of pieces --------------------------------------------------------------------- */

/* Appends the ways to make token id of two, to `half` or, when that is NULL, only counts them. */
static uint32_t find_halves(const lory_model *m, const strings *texts, const lory_token *id_of,
                            lory_token id, lory_token *half)
{
    size_t n;
    uint32_t n_found = 0;
    const char *s = lory_token_text(m, id, &n);
    for (size_t i = 1; i < n && !lory_token_is_end(m, id); i++) {
        int64_t a = strings_find(texts, s, i), b = strings_find(texts, s + i, n - i);
        if (a < 0 || b < 0) continue;
        if (half) half[2 * n_found] = id_of[a], half[2 * n_found + 1] = id_of[b];
        n_found++;
    }
    return n_found;
}

bool data_split_init(data_split *x, const lory_model *m, int n_vocab, lory_err *err)
{
    strings texts = { 0 };
    lory_token *id_of = mem_new((size_t)n_vocab, sizeof *id_of);
    x->first = mem_new((size_t)n_vocab + 1, sizeof *x->first);
    bool ok = id_of && x->first;
    for (int i = 0; ok && i < n_vocab; i++) {
        size_t n;
        const char *s = lory_token_text(m, i, &n);
        int64_t at = n > 0 ? strings_put(&texts, s, n) : 0;
        ok = at >= 0;
        if (ok && n > 0) id_of[at] = i; /* of a byte and a character, the latter */
    }
    for (int i = 0; ok && i < n_vocab; i++)
        x->first[i + 1] = x->first[i] + find_halves(m, &texts, id_of, i, NULL);
    x->half = ok ? mem_new(2 * (size_t)x->first[n_vocab] + 1, sizeof *x->half) : NULL;
    for (int i = 0; x->half && i < n_vocab; i++)
        find_halves(m, &texts, id_of, i, x->half + 2 * x->first[i]);
    strings_free(&texts);
    mem_free(id_of);
    return x->half
           || err_set(err, LORY_E_MEMORY, "out of memory for the pieces of %d tokens", n_vocab);
}

void data_split_free(data_split *x)
{
    mem_free(x->first);
    mem_free(x->half);
}

/* ---- windows ------------------------------------------------------------------------------ */

/* The documents in the order of an epoch: Fisher and Yates. */
static void shuffle(data_source *s, uint64_t seed)
{
    if (s->ordered == s->at.epoch + 1) return;
    for (size_t i = 0; i < s->n_docs; i++) s->order[i] = (uint32_t)i;
    for (size_t i = s->n_docs; i > 1; i--) {
        size_t j = (size_t)(rng_at(seed, i, s->at.epoch) % i);
        uint32_t swap = s->order[i - 1];
        s->order[i - 1] = s->order[j];
        s->order[j] = swap;
    }
    s->ordered = s->at.epoch + 1;
}

/* A window that is being filled. */
typedef struct {
    const data_window *w;
    int n_ctx, it; /* next place */
    int start;     /* of the text at hand */
} filling;

/* Puts a token, which the one before it in its text is to predict if it is a target. False when
 * the window is full: it is a target then, but is not in it. */
static bool put(filling *f, lory_token id, bool is_target)
{
    if (f->it > f->start) f->w->target[f->it - 1] = is_target ? id : -1;
    if (f->it == f->n_ctx) return false;
    f->w->token[f->it] = id;
    f->w->target[f->it] = -1;
    f->w->start[f->it++] = f->start;
    return true;
}

/* Puts a token of s as it is, or by draw as two pieces that make it up. */
static bool put_split(filling *f, const data_split *split, lory_token stored, uint64_t draw)
{
    bool is_target = stored >= 0;
    lory_token id = is_target ? stored : -1 - stored;
    uint32_t n = split ? split->first[id + 1] - split->first[id] : 0;
    if (n == 0 || (double)(draw >> 40) * 0x1p-24 >= (double)split->share)
        return put(f, id, is_target);
    const lory_token *half = split->half + 2 * (split->first[id] + (draw & 0xffffff) % n);
    if (!put(f, half[0], is_target)) return false;
    put(f, half[1], is_target); /* or is lost at the end of the window */
    return true;
}

/* Puts a begin token and tokens [from, end) of s; returns how many fit. The begin token is followed
 * by a target only where a document begins. */
static size_t place(filling *f, const data_source *s, size_t from, size_t end, bool begins,
                    lory_token bos, const data_split *split)
{
    size_t at = from;
    f->start = f->it;
    put(f, bos, false);
    if (!begins && at < end && s->token[at] >= 0) /* known, not to be predicted */
        put(f, s->token[at++], false);
    for (; at < end; at++) {
        uint64_t draw = split ? rng_at(split->seed, at, s->at.epoch) : 0;
        if (!put_split(f, split, s->token[at], draw)) break;
    }
    return at - from;
}

/* The rest of a window: tokens that see only themselves and predict nothing. */
static void pad(int n_ctx, lory_token bos, int it, const data_window *w)
{
    for (; it < n_ctx; it++) {
        w->token[it] = bos;
        w->target[it] = -1;
        w->start[it] = it;
    }
}

void data_next(data_source *s, int n_ctx, lory_token bos, uint64_t seed, const data_split *split,
               const data_window *w)
{
    filling f = { .w = w, .n_ctx = n_ctx };
    while (f.it < n_ctx - 1) {
        shuffle(s, seed);
        size_t doc = s->order[s->at.i_doc], from = s->doc[doc] + s->at.offset;
        s->at.offset += place(&f, s, from, s->doc[doc + 1], s->at.offset == 0, bos, split);
        if (s->doc[doc] + s->at.offset < s->doc[doc + 1]) break;
        s->at.offset = 0;
        if (++s->at.i_doc < s->n_docs) continue;
        s->at.i_doc = 0;
        s->at.epoch++;
    }
    pad(n_ctx, bos, f.it, w);
}

bool data_next_in_order(const data_source *s, int n_ctx, lory_token bos, size_t *i_doc,
                        size_t *offset, const data_window *w)
{
    filling f = { .w = w, .n_ctx = n_ctx };
    while (*i_doc < s->n_docs) {
        size_t from = s->doc[*i_doc] + *offset, end = s->doc[*i_doc + 1];
        if (f.it > 0 && end - from + 1 > (size_t)(n_ctx - f.it)) break;
        *offset += place(&f, s, from, end, *offset == 0, bos, NULL);
        if (s->doc[*i_doc] + *offset < end) break;
        *offset = 0;
        ++*i_doc;
    }
    pad(n_ctx, bos, f.it, w);
    return f.it > 0;
}
