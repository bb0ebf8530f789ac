/* speculate.c - see speculate.h. */
#include "speculate.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include <math.h>
#include <string.h>

static chain_input input_of(const drawer *w, const session *s)
{
    return (chain_input){ .logits = s->logits,
                          .history = s->id,
                          .n_history = s->n,
                          .pos = s->n,
                          .banned = w->banned,
                          .n_banned = w->n_banned };
}

bool drawer_draw(const drawer *w, const session *s, lory_token *id, lory_err *err)
{
    chain_input in = input_of(w, s);
    return chain_draw(w->c, &in, id, err);
}

void speculate_init(speculation *p, int n_max)
{
    *p = (speculation){ 0 };
    draft_init(&p->draft, n_max);
}

void speculate_end(speculation *p)
{
    mem_free(p->logits);
    *p = (speculation){ 0 };
}

/* Models of one family may differ in how many tokens without meaning follow the last one. */
static bool check_vocabularies(const model *m, const model *drafter, lory_err *err)
{
    const char *path = gguf_path(&drafter->file);
    int n = m->hp.n_vocab < drafter->hp.n_vocab ? m->hp.n_vocab : drafter->hp.n_vocab;
    if (!m->has_tokenizer || !drafter->has_tokenizer)
        return m->hp.n_vocab == drafter->hp.n_vocab
               || err_set(err, LORY_E_ARGUMENT, "%s: has %d tokens (expected the model's %d)", path,
                          drafter->hp.n_vocab, m->hp.n_vocab);
    for (lory_token id = 0; id < n; id++) {
        size_t n_a, n_b;
        const char *a = tokenizer_piece(&m->tok, id, &n_a);
        const char *b = tokenizer_piece(&drafter->tok, id, &n_b);
        if (n_a != n_b || memcmp(a, b, n_a) != 0)
            return err_set(err, LORY_E_ARGUMENT,
                           "%s: its token %d is another one than the model's: they need the same "
                           "vocabulary",
                           path, id);
    }
    return true;
}

bool speculate_with(speculation *p, const session *s, session *drafter, lory_err *err)
{
    mem_free(p->logits);
    p->logits = NULL;
    p->drafter = NULL;
    p->n_vocab = s->m->hp.n_vocab;
    if (!drafter) return true;
    if (drafter == s)
        return err_set(err, LORY_E_ARGUMENT, "draft: a session can't guess for itself");
    if (!check_vocabularies(s->m, drafter->m, err)) return false;
    if (drafter->m->hp.n_vocab != s->m->hp.n_vocab) {
        p->logits = mem_new((size_t)p->n_vocab, sizeof *p->logits);
        if (!p->logits) return err_set(err, LORY_E_MEMORY, "draft: no memory");
        for (int i = 0; i < p->n_vocab; i++) p->logits[i] = -INFINITY;
    }
    p->drafter = drafter;
    return true;
}

/* The drafter's next token, drawn as the model's will be: from the same random numbers. */
static bool draw_guess(const speculation *p, const drawer *w, lory_token *id)
{
    const session *s = p->drafter;
    chain_input in = input_of(w, s);
    lory_err err; /* a drafter that fails makes no guess */
    if (p->logits) {
        int n = s->m->hp.n_vocab < p->n_vocab ? s->m->hp.n_vocab : p->n_vocab;
        memcpy(p->logits, s->logits, (size_t)n * sizeof *p->logits);
        in.logits = p->logits;
    }
    return chain_draw(w->c, &in, id, &err) && *id >= 0 && *id < s->m->hp.n_vocab;
}

/* The drafter reads what it has not seen of text[0..n) and goes on by n_guess tokens. */
static void guess_by_model(speculation *p, const drawer *w, const lory_token *text, size_t n,
                           int n_guess)
{
    draft *d = &p->draft;
    lory_err err;
    if (!session_set(p->drafter, text, n, &err)) return;
    for (;;) {
        lory_token *id = &d->token[d->n];
        if (!draw_guess(p, w, id)) return;
        d->n++;
        if (d->n == n_guess || !session_eval(p->drafter, id, 1, NULL, NULL, &err)) return;
    }
}

/* Makes a guess at what follows text[0..n), of up to `room` tokens that are worth evaluating, and
 * returns how many these are. *start is moved where a long text was read that was new to the
 * drafter: no step's cost. */
static int make_guess(speculation *p, const drawer *w, const lory_token *text, size_t n, int room,
                      double *start)
{
    draft *d = &p->draft;
    lory_err err;
    draft_from_text(d, text, n);
    bool has_room = p->drafter && n + DRAFT_MAX < (size_t)p->drafter->n_ctx;
    if (!has_room || !draft_from_model(d)) return draft_length(d, room);
    int n_guess = draft_length(d, room);
    if (n_guess == 0) return 0;
    if (p->drafter->n + DRAFT_MAX < n && session_set(p->drafter, text, n - 1, &err))
        *start = timer_now(); /* the last token is left: it is evaluated for the guess */
    guess_by_model(p, w, text, n, n_guess);
    return d->n;
}

bool speculate_go_on(speculation *p, session *s, const drawer *w, lory_token id, lory_err *err)
{
    draft *d = &p->draft;
    if (d->n_max == 0) return session_eval(s, &id, 1, NULL, NULL, err);
    draft_tell(d, id);
    if (session_accept(s, id)) {
        d->n_accepted++;
        return true;
    }
    session_forget_ahead(s);
    double start = timer_now();
    int room = session_room_ahead(s), n = 0;
    if (room > 0) {
        s->id[s->n] = id;
        n = make_guess(p, w, s->id, s->n + 1, room, &start);
    }
    d->n_drafted += (size_t)n;
    if (!session_eval_ahead(s, id, d->token, n, err)) return false;
    draft_record(d, 1 + n, timer_now() - start);
    return true;
}
