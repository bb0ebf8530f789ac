/* data.c - texts and conversations as tokens, and windows of them. */
#include "data.h"
#include "../corpus/docs.h"
#include "../corpus/read.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "token/tokenizer.h"
#include "token/tokens.h"
#include <string.h>

enum {
    PIECE = 2048,  /* tokens: longer documents become pieces of it, to be shuffled */
    MAX_CUTS = 64, /* ways to split a token */
};

typedef struct {
    data_source *s;
    const lory_model *m;
    lory_tokens end; /* what texts end with */
} reader;

/* The tokens before the end-th that are in no document yet are one. */
static bool end_doc(data_source *s, size_t end, lory_err *err)
{
    if (!array_grow(&s->doc, s->n_docs + 1, &s->docs_cap, sizeof *s->doc))
        return err_set(err, LORY_E_MEMORY, "out of memory for %zu documents", s->n_docs);
    if (end > s->doc[s->n_docs]) s->doc[++s->n_docs] = end;
    return true;
}

/* The separator, when the model knows it as an end, or its end token. */
static bool find_end(reader *r, lory_err *err)
{
    static const char end[] = "\n" DOCUMENT_END;
    bool is_known = false;
    if (!lory_tokenize(r->m, end, sizeof end - 1, 0, &r->end, err)) return false;
    lory_token *id = r->end.id;
    for (size_t i = 0; i < r->end.n; i++) is_known |= lory_token_is_end(r->m, id[i]);
    if (is_known) /* without the blank of the beginning */
        memmove(id, id + 1, --r->end.n * sizeof *id);
    else
        r->end.n = (id[0] = lory_token_eos(r->m)) >= 0;
    return true;
}

/* Where a text is cut, the next token is not to be predicted: no text begins there. */
static bool put_text(void *to, const char *text, size_t n, lory_err *err)
{
    reader *r = to;
    lory_tokens *t = &r->s->tokens;
    size_t cut = t->n + PIECE;
    bool ok = lory_tokenize(r->m, text, n, 0, t, err);
    for (; ok && cut < t->n; cut += PIECE) {
        t->id[cut] = -1 - t->id[cut];
        ok = end_doc(r->s, cut, err);
    }
    for (size_t i = 0; ok && i < r->end.n; i++) ok = tokens_put(t, r->end.id[i], err);
    r->s->n_bytes += n;
    return ok && end_doc(r->s, t->n, err);
}

/* Appends the tokens of the first n messages as the template has them. */
static bool render(const lory_model *m, const json *messages, size_t n, bool asks, lory_tokens *out,
                   lory_err *err)
{
    buf vars = { 0 };
    json_writer w = { .out = &vars };
    json_begin_object(&w);
    json_open_array(&w, "messages");
    for (const json *j = messages->first; j && n > 0; j = j->next, n--) json_put_value(&w, j);
    json_end_array(&w);
    json_member_bool(&w, "add_generation_prompt", asks);
    json_end_object(&w);
    lory_template t = { 0 };
    lory_prompt prompt = { 0 };
    t.text = lory_model_chat_template(m, NULL, &t.n);
    bool ok = t.text || err_set(err, LORY_E_ARGUMENT, "the vocabulary has no chat template");
    ok = ok && (!vars.failed || err_set(err, LORY_E_MEMORY, "out of memory"))
         && lory_render_template(m, &t, vars.data, vars.len, &prompt, err)
         && lory_tokenize_prompt(m, &prompt, out, err);
    lory_prompt_free(&prompt);
    buf_free(&vars);
    return ok;
}

/* The tokens from *from on that the assistant's message number i brings are targets. */
static bool put_reply(const reader *r, const json *messages, size_t i, size_t *from, lory_err *err)
{
    lory_tokens before = { 0 }, after = { 0 };
    bool ok = render(r->m, messages, i, true, &before, err)
              && render(r->m, messages, i + 1, false, &after, err);
    if (ok
        && (before.n > after.n || before.n < *from
            || memcmp(before.id, after.id, before.n * sizeof *after.id) != 0))
        ok = err_set(err, LORY_E_FORMAT,
                     "the template writes the messages before reply %zu differently with it", i);
    for (size_t k = *from; ok && k < after.n; k++)
        if (k > 0 || after.id[k] != lory_token_bos(r->m)) /* a window brings its own */
            ok = tokens_put(&r->s->tokens, k < before.n ? -1 - after.id[k] : after.id[k], err);
    *from = after.n;
    lory_tokens_free(&before);
    lory_tokens_free(&after);
    return ok;
}

static bool put_chat(void *to, const json *messages, lory_err *err)
{
    const reader *r = to;
    size_t i = 0, from = 0;
    bool ok = true;
    for (const json *j = messages->first; ok && j; j = j->next, i++)
        if (json_str_is(json_get(j, "role"), "assistant"))
            ok = put_reply(r, messages, i, &from, err);
    return ok && end_doc(r->s, r->s->tokens.n, err);
}

bool data_read(data_source *s, const char *path, data_kind kind, const lory_model *m, lory_err *err)
{
    reader r = { .s = s, .m = m };
    s->name = path;
    bool ok = (kind != DATA_TEXTS || find_end(&r, err))
              && (kind == DATA_CHATS ? read_chats(path, put_chat, &r, err)
                                     : read_texts(path, kind == DATA_RUNNING, put_text, &r, err));
    lory_tokens_free(&r.end);
    if (!ok) return false;
    if (s->n_docs == 0 || s->n_docs > UINT32_MAX)
        return err_set(err, LORY_E_FORMAT, "%s: holds %s", path,
                       s->n_docs ? "too many texts" : "no text");
    s->order = mem_new(s->n_docs, sizeof *s->order);
    return s->order || err_set(err, LORY_E_MEMORY, "%s: out of memory", path);
}

void data_free(data_source *s)
{
    lory_tokens_free(&s->tokens);
    mem_free(s->doc);
    mem_free(s->order);
    *s = (data_source){ 0 };
}

bool data_read_pieces(data_rule *r, const lory_model *m, int n_vocab, lory_err *err)
{
    r->m = m;
    r->id_of = mem_new((size_t)n_vocab, sizeof *r->id_of);
    bool ok = r->id_of != NULL;
    for (int i = 0; ok && i < n_vocab; i++) {
        size_t n;
        const char *s = lory_token_text(m, i, &n);
        int64_t at = n > 0 ? strings_put(&r->texts, s, n) : 0;
        ok = at >= 0;
        if (ok && n > 0) r->id_of[at] = i; /* of a byte and a character, the latter */
    }
    return ok || err_set(err, LORY_E_MEMORY, "out of memory for the pieces of %d tokens", n_vocab);
}

void data_free_pieces(data_rule *r)
{
    strings_free(&r->texts);
    mem_free(r->id_of);
}

/* By draw, makes a token of two others in one of the ways there are; returns how many it is then.
 * What ends a generation stays whole. */
static int split(const data_rule *r, uint64_t draw, lory_token part[2])
{
    size_t n, n_cuts = 0;
    int64_t cut[MAX_CUTS][2];
    if ((double)(draw >> 40) * 0x1p-24 >= (double)r->split) return 1;
    const char *s = lory_token_text(r->m, part[0], &n);
    for (size_t i = 1; i < n && n_cuts < MAX_CUTS; i++) {
        cut[n_cuts][0] = strings_find(&r->texts, s, i);
        cut[n_cuts][1] = strings_find(&r->texts, s + i, n - i);
        n_cuts += cut[n_cuts][0] >= 0 && cut[n_cuts][1] >= 0;
    }
    if (n_cuts == 0 || lory_token_is_end(r->m, part[0])) return 1;
    for (int i = 0; i < 2; i++) part[i] = r->id_of[cut[(draw & 0xffffff) % n_cuts][i]];
    return 2;
}

/* The documents in the order of an epoch: Fisher and Yates. */
static void shuffle(data_source *s, uint64_t seed, uint64_t epoch)
{
    if (s->ordered == epoch + 1) return;
    for (size_t i = 0; i < s->n_docs; i++) s->order[i] = (uint32_t)i;
    for (size_t i = s->n_docs; i > 1; i--) {
        size_t j = (size_t)(rng_at(seed, i, epoch) % i);
        uint32_t swap = s->order[i - 1];
        s->order[i - 1] = s->order[j];
        s->order[j] = swap;
    }
    s->ordered = epoch + 1;
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

/* Puts a begin token and the document from the place's offset on; returns how many fit. */
static size_t put_doc(filling *f, const data_source *s, const data_place *place, size_t doc)
{
    size_t from = s->doc[doc] + place->offset, end = s->doc[doc + 1], at = from;
    const lory_token *id = s->tokens.id;
    f->start = f->it;
    put(f, f->r->bos, false);
    if (place->offset > 0 && at < end && id[at] >= 0)
        put(f, id[at++], false); /* no text begins there */
    for (; at < end; at++) {
        lory_token part[2] = { id[at] >= 0 ? id[at] : -1 - id[at] };
        int n = split(f->r, rng_at(f->r->split_seed, at, place->epoch), part);
        if (!put(f, part[0], id[at] >= 0)) break;
        if (n == 2) put(f, part[1], id[at] >= 0); /* or is lost at the end of the window */
    }
    return at - from;
}

bool data_next(data_source *s, data_place *at, const data_rule *r, net_place *w)
{
    filling f = { .r = r, .w = w };
    while (f.it < r->n_ctx - 1 && !(r->in_order && at->epoch > 0)) {
        if (!r->in_order) shuffle(s, r->order_seed, at->epoch);
        size_t doc = r->in_order ? at->i_doc : s->order[at->i_doc];
        size_t n = s->doc[doc + 1] - s->doc[doc];
        if (r->in_order && f.it > 0 && n + 1 > (size_t)(r->n_ctx - f.it)) break;
        at->offset += put_doc(&f, s, at, doc);
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
