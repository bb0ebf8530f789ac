/* data.c - texts and conversations as tokens, and windows of them. */
#include "data.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/jsonl.h"
#include <string.h>

enum {
    MAX_BYTES = 1 << 30, /* of a file */
    PIECE = 2048,        /* tokens: longer documents become pieces of it, to be shuffled */
    MAX_CUTS = 64,       /* ways to split a token */
};
#define SEPARATOR "<|endoftext|>"

/* ---- documents ---------------------------------------------------------------------------- */

static bool no_memory(const data_source *s, lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "%s: out of memory", s->name);
}

static bool put_token(data_source *s, lory_token id, bool is_target, lory_err *err)
{
    if (!array_grow(&s->token, s->n, &s->cap, sizeof *s->token)) return no_memory(s, err);
    s->token[s->n++] = is_target ? id : -1 - id;
    return true;
}

/* What was put since the last one ended is a document. */
static bool end_doc(data_source *s, lory_err *err)
{
    if (!array_grow(&s->doc, s->n_docs + 1, &s->docs_cap, sizeof *s->doc)) return no_memory(s, err);
    s->doc[0] = 0;
    if (s->n > s->doc[s->n_docs]) s->doc[++s->n_docs] = s->n;
    return true;
}

/* Puts a text. Where it is cut, the next token is not to be predicted: no text begins there. */
static bool put_text(data_source *s, const lory_model *m, const char *text, size_t n, lory_err *err)
{
    lory_tokens ids = { 0 };
    bool ok = lory_tokenize(m, text, n, 0, &ids, err);
    for (size_t i = 0; ok && i < ids.n; i++) {
        bool is_cut = i > 0 && i % PIECE == 0;
        ok = (!is_cut || end_doc(s, err)) && put_token(s, ids.id[i], !is_cut, err);
    }
    s->n_bytes += n;
    lory_tokens_free(&ids);
    return ok;
}

/* Puts what a text ends with: the separator, when the model knows it as an end, or its end token.
 */
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

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool read_texts(data_source *s, data_kind kind, const lory_model *m, lory_err *err)
{
    buf text = { 0 };
    bool ok = file_read(s->name, MAX_BYTES, &text, err);
    const char *at = text.data, *end = text.data + text.len;
    while (ok && at < end) {
        const char *cut = memmem(at, (size_t)(end - at), SEPARATOR, strlen(SEPARATOR));
        if (!cut || kind == DATA_RUNNING) cut = end;
        const char *from = at, *to = cut;
        while (from < to && is_blank(*from)) from++;
        while (to > from && is_blank(to[-1])) to--;
        if (to > from)
            ok = put_text(s, m, from, (size_t)(to - from), err)
                 && (kind != DATA_TEXTS || put_end(s, m, err)) && end_doc(s, err);
        at = cut < end ? cut + strlen(SEPARATOR) : end;
    }
    buf_free(&text);
    return ok;
}

/* ---- conversations ------------------------------------------------------------------------ */

/* Appends the tokens of the first n messages as the template has them. */
static bool render(const lory_model *m, const json *messages, size_t n, bool asks, lory_tokens *out,
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
    t.text = lory_model_chat_template(m, NULL, &t.n);
    lory_prompt prompt = { 0 };
    bool ok = !vars.failed || err_set(err, LORY_E_MEMORY, "a conversation: out of memory");
    ok = ok && lory_render_template(m, &t, vars.data, vars.len, &prompt, err)
         && lory_tokenize_prompt(m, &prompt, out, err);
    lory_prompt_free(&prompt);
    buf_free(&vars);
    return ok;
}

/* The tokens from *from on that the assistant's message number i brings are targets. */
static bool put_reply(data_source *s, const jsonl *at, const lory_model *m, const json *messages,
                      size_t i, size_t *from, lory_err *err)
{
    lory_tokens before = { 0 }, after = { 0 };
    bool ok = render(m, messages, i, true, &before, err)
              && render(m, messages, i + 1, false, &after, err);
    if (ok
        && (before.n > after.n || before.n < *from
            || memcmp(before.id, after.id, before.n * sizeof *after.id) != 0))
        ok = jsonl_wrong(
            at, err, "the template writes the messages before reply %zu differently with it", i);
    for (size_t k = *from; ok && k < after.n; k++)
        if (k > 0 || after.id[k] != lory_token_bos(m)) /* a window brings its own */
            ok = put_token(s, after.id[k], k >= before.n, err);
    *from = after.n;
    lory_tokens_free(&before);
    lory_tokens_free(&after);
    return ok;
}

static bool put_chat(data_source *s, const jsonl *at, const lory_model *m, const json *root,
                     lory_err *err)
{
    const json *messages = json_get(root, "messages");
    if (!messages || messages->type != JSON_ARRAY)
        return jsonl_wrong(at, err, "no list \"messages\"");
    size_t i = 0, from = 0;
    bool ok = true;
    for (const json *j = messages->first; ok && j; j = j->next, i++)
        if (json_str_is(json_get(j, "role"), "assistant"))
            ok = put_reply(s, at, m, messages, i, &from, err);
    return ok && end_doc(s, err);
}

static bool read_chats(data_source *s, const lory_model *m, lory_err *err)
{
    jsonl in = { .f = fopen(s->name, "r"), .name = s->name };
    json_doc d;
    size_t n;
    jsonl_result got = JSONL_VALUE;
    if (!in.f) return err_set_errno(err, LORY_E_IO, "%s: cannot open", s->name);
    bool ok = lory_model_chat_template(m, NULL, &n)
              || err_set(err, LORY_E_ARGUMENT, "%s: the vocabulary has no chat template", s->name);
    while (ok && (got = jsonl_next(&in, &d, err)) == JSONL_VALUE) {
        ok = put_chat(s, &in, m, d.root, err);
        json_close(&d);
    }
    fclose(in.f);
    jsonl_close(&in);
    return ok && got == JSONL_END;
}

bool data_read(data_source *s, const char *path, data_kind kind, const lory_model *m, lory_err *err)
{
    s->name = path;
    if (!(kind == DATA_CHATS ? read_chats(s, m, err) : read_texts(s, kind, m, err))) return false;
    if (s->n_docs == 0 || s->n_docs > UINT32_MAX)
        return err_set(err, LORY_E_FORMAT, "%s: holds %s", path,
                       s->n_docs ? "too many texts" : "no text");
    s->order = mem_new(s->n_docs, sizeof *s->order);
    return s->order || no_memory(s, err);
}

void data_free(data_source *s)
{
    mem_free(s->token);
    mem_free(s->doc);
    mem_free(s->order);
    *s = (data_source){ 0 };
}

/* ---- pieces of tokens --------------------------------------------------------------------- */

bool data_pieces_init(data_pieces *p, const lory_model *m, int n_vocab, lory_err *err)
{
    *p = (data_pieces){ .m = m, .id_of = mem_new((size_t)n_vocab, sizeof *p->id_of) };
    bool ok = p->id_of != NULL;
    for (int i = 0; ok && i < n_vocab; i++) {
        size_t n;
        const char *s = lory_token_text(m, i, &n);
        int64_t at = n > 0 ? strings_put(&p->texts, s, n) : 0;
        ok = at >= 0;
        if (ok && n > 0) p->id_of[at] = i; /* of a byte and a character, the latter */
    }
    return ok || err_set(err, LORY_E_MEMORY, "out of memory for the pieces of %d tokens", n_vocab);
}

void data_pieces_free(data_pieces *p)
{
    strings_free(&p->texts);
    mem_free(p->id_of);
}

/* One of the ways to make a token of two others, by draw; false when there is none. What ends a
 * generation stays whole. */
static bool split(const data_pieces *p, lory_token id, uint64_t draw, lory_token half[2])
{
    size_t n, n_cuts = 0;
    int64_t cut[MAX_CUTS][2];
    const char *s = lory_token_text(p->m, id, &n);
    for (size_t i = 1; i < n && n_cuts < MAX_CUTS; i++) {
        cut[n_cuts][0] = strings_find(&p->texts, s, i);
        cut[n_cuts][1] = strings_find(&p->texts, s + i, n - i);
        n_cuts += cut[n_cuts][0] >= 0 && cut[n_cuts][1] >= 0;
    }
    if (n_cuts == 0 || lory_token_is_end(p->m, id)) return false;
    for (int i = 0; i < 2; i++) half[i] = p->id_of[cut[draw % n_cuts][i]];
    return true;
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
    const data_rule *r;
    net_place *w;
    int it;    /* next place */
    int start; /* of the text at hand */
} filling;

/* Puts a token, which the one before it in its text is to predict if it is a target. False when
 * the window is full: then it is a target, but is not in it. */
static bool put(filling *f, lory_token id, bool is_target)
{
    if (f->it > f->start) f->w[f->it - 1].target = is_target ? id : -1;
    if (f->it == f->r->n_ctx) return false;
    f->w[f->it++] = (net_place){ id, -1, f->start };
    return true;
}

/* Puts token number i of s as it is, or by draw as two. */
static bool put_from(filling *f, const data_source *s, size_t i)
{
    const data_rule *r = f->r;
    bool is_target = s->token[i] >= 0;
    lory_token id = is_target ? s->token[i] : -1 - s->token[i], half[2];
    uint64_t draw = r->pieces ? rng_at(r->split_seed, i, s->at.epoch) : 0;
    if (!r->pieces || (double)(draw >> 40) * 0x1p-24 >= (double)r->split
        || !split(r->pieces, id, draw & 0xffffff, half))
        return put(f, id, is_target);
    if (!put(f, half[0], is_target)) return false;
    put(f, half[1], is_target); /* or is lost at the end of the window */
    return true;
}

/* Puts a begin token and the document from its token `offset` on; returns how many fit. */
static size_t put_doc(filling *f, const data_source *s, size_t doc, size_t offset)
{
    size_t from = s->doc[doc] + offset, at = from;
    f->start = f->it;
    put(f, f->r->bos, false);
    if (offset > 0 && s->token[at] >= 0) put(f, s->token[at++], false); /* no text begins there */
    while (at < s->doc[doc + 1] && put_from(f, s, at)) at++;
    return at - from;
}

bool data_next(data_source *s, const data_rule *r, net_place *w)
{
    filling f = { .r = r, .w = w };
    data_place *at = &s->at;
    while (f.it < r->n_ctx - 1 && !(r->in_order && at->epoch > 0)) {
        if (!r->in_order) shuffle(s, r->order_seed);
        size_t doc = r->in_order ? at->i_doc : s->order[at->i_doc];
        size_t n = s->doc[doc + 1] - s->doc[doc];
        if (r->in_order && f.it > 0 && n + 1 > (size_t)(r->n_ctx - f.it)) break;
        at->offset += put_doc(&f, s, doc, at->offset);
        if (at->offset < n) break;
        at->offset = 0;
        if (++at->i_doc < s->n_docs) continue;
        at->i_doc = 0;
        at->epoch++;
    }
    bool is_some = f.it > 0;
    while (f.it < r->n_ctx) { /* the rest: tokens that see only themselves */
        f.start = f.it;
        put(&f, r->bos, false);
    }
    return is_some;
}
