/* chain.c - see chain.h. A new stage is a function (stage.h) and a row in `stages`; its numbers
 * are rows in `chain_fields`. */
#include "sample/chain.h"
#include "base/err.h"
#include "base/fmath.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sample/candidates.h"
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- parameters ---------------------------------------------------------------------------- */

#define FIELD(name) #name, offsetof(lory_sampler_params, name)
#define META(key)   "general.sampling." key

/* clang-format off */
/* Keys: gguf-py's constants; typ_p, penalty_freq and penalty_present as other writers add them. */
const chain_field chain_fields[] = {
    /* field                    metadata                 kind         min       max      default */
    { FIELD(temp),              META("temp"),            CHAIN_FLOAT, 0.0,      FLT_MAX, 0.8  },
    { FIELD(top_k),             META("top_k"),           CHAIN_INT,   -1.0,     INT_MAX, 40.0 },
    { FIELD(top_p),             META("top_p"),           CHAIN_FLOAT, 0.0,      1.0,     0.95 },
    { FIELD(min_p),             META("min_p"),           CHAIN_FLOAT, 0.0,      1.0,     0.05 },
    { FIELD(typical),           META("typ_p"),           CHAIN_FLOAT, 0.0,      1.0,     1.0  },
    { FIELD(repeat_penalty),    META("penalty_repeat"),  CHAIN_FLOAT, FLT_MIN,  FLT_MAX, 1.0  },
    { FIELD(repeat_last_n),     META("penalty_last_n"),  CHAIN_INT,   -1.0,     INT_MAX, 64.0 },
    { FIELD(presence_penalty),  META("penalty_present"), CHAIN_FLOAT, -FLT_MAX, FLT_MAX, 0.0  },
    { FIELD(frequency_penalty), META("penalty_freq"),    CHAIN_FLOAT, -FLT_MAX, FLT_MAX, 0.0  },
    { FIELD(dry_multiplier),    NULL,                    CHAIN_FLOAT, 0.0,      FLT_MAX, 0.0  },
    { FIELD(dry_base),          NULL,                    CHAIN_FLOAT, 0.0,      FLT_MAX, 1.75 },
    { FIELD(dry_allowed_length), NULL,                   CHAIN_INT,   0.0,      INT_MAX, 2.0  },
    { FIELD(dry_penalty_last_n), NULL,                   CHAIN_INT,   -1.0,     INT_MAX, -1.0 },
    { FIELD(top_n_sigma),       NULL,                    CHAIN_FLOAT, 0.0,      FLT_MAX, 0.0  },
    { FIELD(xtc_probability),   META("xtc_probability"), CHAIN_FLOAT, 0.0,      1.0,     0.0  },
    { FIELD(xtc_threshold),     META("xtc_threshold"),   CHAIN_FLOAT, 0.0,      1.0,     0.1  },
    { FIELD(dynatemp_range),    NULL,                    CHAIN_FLOAT, 0.0,      FLT_MAX, 0.0  },
    { FIELD(dynatemp_exponent), NULL,                    CHAIN_FLOAT, FLT_MIN,  FLT_MAX, 1.0  },
};
/* clang-format on */
const int n_chain_fields = sizeof chain_fields / sizeof chain_fields[0];

bool chain_field_set(lory_sampler_params *p, const chain_field *f, double value)
{
    char *at = (char *)p + f->offset;
    if (!(value >= f->min && value <= f->max)) return false;
    if (f->kind == CHAIN_INT)
        *(int *)(void *)at = (int)value;
    else
        *(float *)(void *)at = (float)value;
    return true;
}

static double field_value(const lory_sampler_params *p, const chain_field *f)
{
    const char *at = (const char *)p + f->offset;
    if (f->kind == CHAIN_INT) return *(const int *)(const void *)at; /* not by way of a float */
    return *(const float *)(const void *)at;
}

static const char *const default_breakers[] = { "\n", ":", "\"", "*" };

void chain_defaults(lory_sampler_params *p)
{
    *p = (lory_sampler_params){ .dry_breakers = default_breakers,
                                .n_dry_breakers =
                                    sizeof default_breakers / sizeof default_breakers[0] };
    for (int i = 0; i < n_chain_fields; i++)
        chain_field_set(p, &chain_fields[i], chain_fields[i].value);
}

static bool check_bias(const lory_logit_bias *b, int n_vocab, lory_err *err)
{
    if (b->id < 0 || b->id >= n_vocab)
        return err_set(err, LORY_E_ARGUMENT,
                       "logit_bias: there is no token %" PRId32 " (expected 0 to %d)", b->id,
                       n_vocab - 1);
    if (isnan(b->bias) || b->bias == INFINITY)
        return err_set(err, LORY_E_ARGUMENT,
                       "logit_bias: the bias of token %" PRId32
                       " is %g (expected a number or -inf)",
                       b->id, (double)b->bias);
    return true;
}

static bool refuse(const chain_field *f, double x, lory_err *err)
{
    char expected[64] = "a number";
    if (f->min == (double)FLT_MIN)
        snprintf(expected, sizeof expected, "above 0");
    else if (f->max == 1.0)
        snprintf(expected, sizeof expected, "%g to %g", f->min, f->max);
    else if (f->min > -FLT_MAX)
        snprintf(expected, sizeof expected, "%g or more", f->min);
    return err_set(err, LORY_E_ARGUMENT, "%s: is %g (expected %s)", f->name, x, expected);
}

static bool check_params(int n_vocab, const lory_sampler_params *p, lory_err *err)
{
    for (int i = 0; i < n_chain_fields; i++) {
        double x = field_value(p, &chain_fields[i]);
        if (!(x >= chain_fields[i].min && x <= chain_fields[i].max))
            return refuse(&chain_fields[i], x, err);
    }
    for (size_t i = 0; i < p->n_logit_bias; i++)
        if (!check_bias(&p->logit_bias[i], n_vocab, err)) return false;
    for (size_t i = 0; i < p->n_dry_breakers; i++)
        if (!p->dry_breakers[i][0])
            return err_set(err, LORY_E_ARGUMENT, "dry_sequence_breaker: the text is empty");
    return true;
}

/* ---- stages -------------------------------------------------------------------------------- */

typedef const lory_sampler_params params;

static bool penalties_are_on(params *p)
{
    return p->repeat_last_n != 0
           && (p->repeat_penalty != 1.0f || p->presence_penalty != 0.0f
               || p->frequency_penalty != 0.0f);
}

static bool dry_is_on(params *p)
{
    return p->dry_multiplier > 0.0f && p->dry_base >= 1.0f && p->dry_penalty_last_n != 0;
}

static bool xtc_is_on(params *p)
{
    return p->xtc_probability > 0.0f && p->xtc_threshold <= 0.5f;
}

/* clang-format off */
static bool bias_is_on(params *p)        { return p->n_logit_bias > 0; }
static bool grammar_is_on(params *p)     { return p->grammar != NULL; }
static bool top_n_sigma_is_on(params *p) { return p->top_n_sigma > 0.0f; }
static bool top_k_is_on(params *p)       { return p->top_k > 0; }
static bool typical_is_on(params *p)     { return p->typical < 1.0f; }
static bool top_p_is_on(params *p)       { return p->top_p < 1.0f; }
static bool min_p_is_on(params *p)       { return p->min_p > 0.0f; }
static bool temperature_is_on(params *p) { return p->temp != 1.0f || p->dynatemp_range > 0.0f; }
static bool is_greedy(params *p)         { return p->temp == 0.0f && p->dynatemp_range == 0.0f; }
static bool is_not_greedy(params *p)     { return !is_greedy(p); }
/* clang-format on */

typedef enum {
    ADJUSTS,    /* changes logits, by id: before any that drops */
    HOLDS,      /* drops what may not be; something is left */
    KEEPS_BEST, /* drops, but never the largest logit: idle before a greedy pick */
    MAY_DROP_BEST,
    ENDS,
} stage_kind;

/* A bound for the logits that a stage leaves of a whole vocabulary with n peaks: when it is the
 * first, it is spared the others. */
typedef float least_fn(params *p, uint32_t *peak, int n);

static float least_of_top_k(params *p, uint32_t *peak, int n)
{
    return candidates_kth_peak(peak, n, p->top_k);
}

static float least_of_min_p(params *p, uint32_t *peak, int n)
{
    double slack = 1e-6; /* the stage takes the float for a decimal */
    float least = (float)(candidates_kth_peak(peak, n, 1) + math_log(p->min_p) - slack);
    return nextafterf(least, -INFINITY);
}

static float least_of_temperature(params *p, uint32_t *peak, int n)
{
    return is_greedy(p) ? candidates_kth_peak(peak, n, 1) : -INFINITY;
}

typedef struct {
    const char *name;
    bool (*is_on)(params *p);
    stage_fn apply;
    stage_kind kind;
    least_fn *least; /* NULL: any may stay */
} stage_row;

/* clang-format off */
/* In the order in which they run; a stage that adjusts comes before any that drops. */
static const stage_row stages[] = {
    { "logit-bias",  bias_is_on,        stage_logit_bias,  ADJUSTS,       NULL                 },
    { "penalties",   penalties_are_on,  stage_penalties,   ADJUSTS,       NULL                 },
    { "dry",         dry_is_on,         stage_dry,         ADJUSTS,       NULL                 },
    { "grammar",     grammar_is_on,     stage_grammar,     HOLDS,         NULL                 },
    { "top-n-sigma", top_n_sigma_is_on, stage_top_n_sigma, KEEPS_BEST,    NULL                 },
    { "top-k",       top_k_is_on,       stage_top_k,       KEEPS_BEST,    least_of_top_k       },
    { "typical",     typical_is_on,     stage_typical,     MAY_DROP_BEST, NULL                 },
    { "top-p",       top_p_is_on,       stage_top_p,       KEEPS_BEST,    NULL                 },
    { "min-p",       min_p_is_on,       stage_min_p,       KEEPS_BEST,    least_of_min_p       },
    { "xtc",         xtc_is_on,         stage_xtc,         MAY_DROP_BEST, NULL                 },
    { "temperature", temperature_is_on, stage_temperature, ENDS,          least_of_temperature },
    { "draw",        is_not_greedy,     stage_draw,        ENDS,          NULL                 },
};
/* clang-format on */
enum { N_STAGE = sizeof stages / sizeof stages[0] };

/* The text that a grammar holds, as far as it has been read. */
typedef struct {
    grammar_reader reader; /* zeroed without a grammar */
    const token_trie *t;
    size_t begin;   /* tokens of the history before it */
    bool at_start;  /* when it has no token yet, nothing stands before it */
    bool has_text;  /* some token has */
    size_t n_read;  /* tokens of it */
    hash64 hash;    /* of those */
} held_text;

struct chain {
    lory_sampler_params params; /* its logit_bias points at `bias` */
    lory_logit_bias *bias;
    dry_breakers breakers; /* none while DRY is off */
    int n_vocab;
    const stage_row *on[N_STAGE]; /* [n_on] */
    int n_on;
    chain_desk *desk; /* NULL in a small chain */
    held_text held;
};

struct chain_desk {
    sample_draw draw; /* owns the arrays of the candidates, and z */
    size_t n_z;
};

/* A greedy pick takes the best of what is left, so stages that keep it are not run for it. */
static void choose_stages(chain *s)
{
    bool may_drop_best = false;
    for (int i = 0; i < N_STAGE; i++)
        if (stages[i].kind == MAY_DROP_BEST && stages[i].is_on(&s->params)) may_drop_best = true;
    for (int i = 0; i < N_STAGE; i++) {
        bool is_idle = stages[i].kind == KEEPS_BEST && is_greedy(&s->params) && !may_drop_best;
        if (stages[i].is_on(&s->params) && !is_idle) s->on[s->n_on++] = &stages[i];
    }
}

/* ---- chain --------------------------------------------------------------------------------- */

chain_desk *chain_desk_new(int n_vocab, lory_err *err)
{
    size_t n = (size_t)n_vocab;
    chain_desk *d = mem_new(1, sizeof *d);
    if (d) {
        candidates *c = &d->draw.c;
        c->id = mem_new(n, sizeof *c->id);
        c->logit = mem_new(n, sizeof *c->logit);
        c->p = mem_new(n, sizeof *c->p);
        c->key = mem_new(n, sizeof *c->key);
        d->draw.count = mem_new(n, sizeof *d->draw.count);
        d->draw.allowed = mem_new(n / 64 + 1, sizeof *d->draw.allowed);
        if (c->id && c->logit && c->p && c->key && d->draw.count && d->draw.allowed) return d;
    }
    err_set(err, LORY_E_MEMORY, "sampler: no memory for a vocabulary of %d tokens", n_vocab);
    chain_desk_free(d);
    return NULL;
}

void chain_desk_free(chain_desk *d)
{
    if (!d) return;
    mem_free(d->draw.c.id);
    mem_free(d->draw.c.logit);
    mem_free(d->draw.c.p);
    mem_free(d->draw.c.key);
    mem_free(d->draw.count);
    mem_free(d->draw.allowed);
    mem_free(d->draw.z);
    mem_free(d);
}

static bool copy_bias(chain *s, lory_err *err)
{
    size_t n = s->params.n_logit_bias;
    s->bias = mem_new(n, sizeof *s->bias);
    if (!s->bias) return err_set(err, LORY_E_MEMORY, "sampler: no memory for %zu biases", n);
    if (n) memcpy(s->bias, s->params.logit_bias, n * sizeof *s->bias);
    s->params.logit_bias = s->bias;
    return true;
}

chain *chain_new_small(int n_vocab, const lory_sampler_params *p, lory_err *err)
{
    if (n_vocab < 1) {
        err_set(err, LORY_E_ARGUMENT, "sampler: the vocabulary has %d tokens (expected 1 or more)",
                n_vocab);
        return NULL;
    }
    if (!check_params(n_vocab, p, err)) return NULL;
    chain *s = mem_new(1, sizeof *s);
    if (!s) {
        err_set(err, LORY_E_MEMORY, "sampler: no memory");
        return NULL;
    }
    *s = (chain){ .params = *p, .n_vocab = n_vocab };
    choose_stages(s);
    size_t n_breakers = dry_is_on(p) ? p->n_dry_breakers : 0;
    if (copy_bias(s, err) && dry_breakers_copy(&s->breakers, p->dry_breakers, n_breakers, err))
        return s;
    chain_free(s);
    return NULL;
}

chain *chain_new(int n_vocab, const lory_sampler_params *p, lory_err *err)
{
    chain *s = chain_new_small(n_vocab, p, err);
    if (!s || (s->desk = chain_desk_new(n_vocab, err))) return s;
    chain_free(s);
    return NULL;
}

void chain_free(chain *s)
{
    if (!s) return;
    grammar_close(&s->held.reader);
    mem_free(s->bias);
    dry_breakers_free(&s->breakers);
    chain_desk_free(s->desk);
    mem_free(s);
}

/* Says how many of the logits are NaN or +inf, and which is the first. */
static bool refuse_logits(const float *logits, int n, lory_err *err)
{
    int n_bad = 0, first = 0;
    for (int i = n - 1; i >= 0; i--)
        if (!(logits[i] < INFINITY)) {
            n_bad++;
            first = i;
        }
    return err_set(err, LORY_E_NAN,
                   "logits: %d of %d are NaN or +inf, the first is %s at token %d"
                   " (expected numbers)",
                   n_bad, n, isnan(logits[first]) ? "NaN" : "+inf", first);
}

/* The logits as they are, in *from, and their peaks: a copy where some are banned. */
static bool look_at(candidates *c, const chain_input *in, int n, const float **from, lory_err *err)
{
    int n_peak = candidates_n_peaks(n);
    *from = in->logits;
    if (!candidates_find_peaks(in->logits, n, c->key)) return refuse_logits(in->logits, n, err);
    if (candidates_kth_peak(c->key, n_peak, 1) == -INFINITY)
        return err_set(err, LORY_E_NAN, "logits: all %d are -inf (expected numbers)", n);
    if (in->n_banned == 0) return true;
    *from = memcpy(c->logit, in->logits, (size_t)n * sizeof *c->logit);
    for (size_t i = 0; i < in->n_banned; i++) {
        lory_token id = in->banned[i];
        if (id < 0 || id >= n)
            return err_set(err, LORY_E_ARGUMENT,
                           "banned token %zu: there is no token %" PRId32 " (expected 0 to %d)", i,
                           id, n - 1);
        c->logit[id] = -INFINITY;
        int block = id / CANDIDATES_BLOCK, first = block * CANDIDATES_BLOCK;
        int n_left = n - first < CANDIDATES_BLOCK ? n - first : CANDIDATES_BLOCK;
        candidates_find_peaks(c->logit + first, n_left, &c->key[block]);
    }
    return true;
}

/* Every token becomes a candidate that the first stage may leave. */
static bool load(const chain *s, candidates *c, const chain_input *in, lory_err *err)
{
    const float *logits;
    if (!look_at(c, in, s->n_vocab, &logits, err)) return false;
    least_fn *least = s->n_on > 0 ? s->on[0]->least : NULL;
    candidates_load(c, logits, s->n_vocab,
                    least ? least(&s->params, c->key, candidates_n_peaks(s->n_vocab)) : -INFINITY);
    return true;
}

static bool check_history(const chain *s, const chain_input *in, lory_err *err)
{
    if (!penalties_are_on(&s->params) && !dry_is_on(&s->params)) return true;
    for (size_t i = 0; i < in->n_history; i++)
        if (in->history[i] < 0 || in->history[i] >= s->n_vocab)
            return err_set(err, LORY_E_ARGUMENT,
                           "history: there is no token %" PRId32 " (expected 0 to %d)",
                           in->history[i], s->n_vocab - 1);
    return true;
}

/* Room for DRY over this history. */
static bool make_room(const chain *s, chain_desk *desk, size_t n_history, lory_err *err)
{
    if (!dry_is_on(&s->params) || n_history <= desk->n_z) return true;
    size_t n = n_history < 512 ? 1024 : 2 * n_history;
    uint32_t *grown = mem_resize(desk->draw.z, desk->n_z, n, sizeof *grown);
    if (!grown) return err_set(err, LORY_E_MEMORY, "sampler: no memory for %zu tokens", n);
    desk->draw.z = grown;
    desk->n_z = n;
    return true;
}

void chain_read_breakers(chain *s, const tokenizer *t)
{
    s->breakers.t = t;
}

/* ---- grammar ------------------------------------------------------------------------------- */

bool chain_hold(chain *s, grammar *g, const token_trie *t, lory_err *err)
{
    if (!grammar_bind(g, t, err)) return false;
    s->held.t = t;
    grammar_open(&s->held.reader, g);
    chain_begin_text(s, 0, true);
    return true;
}

static void read_again(held_text *h)
{
    h->n_read = 0;
    h->has_text = false;
    hash64_begin(&h->hash, 0);
    grammar_rewind(&h->reader);
}

void chain_begin_text(chain *s, size_t n_history, bool at_start)
{
    if (!s->held.reader.g) return;
    s->held.begin = n_history;
    s->held.at_start = at_start;
    read_again(&s->held);
}

static bool read_token(held_text *h, lory_token id, lory_err *err)
{
    size_t n;
    bool fits;
    const char *text = token_trie_text(h->t, id, h->at_start && !h->has_text, &n);
    if (!grammar_read_token(&h->reader, id, text, n, &fits, err)) return false;
    if (!fits)
        return err_set(err, LORY_E_ARGUMENT,
                       "history: token %zu of the text (%" PRId32 ") is not allowed by the grammar",
                       h->n_read, id);
    h->has_text = h->has_text || tokenizer_ends_start(h->t->t, id, n);
    h->n_read++;
    hash64_put(&h->hash, &id, sizeof id);
    return true;
}

/* Brings the reader to the end of the history, from wherever an earlier draw left it. */
static bool catch_up(held_text *h, const chain_input *in, lory_err *err)
{
    size_t n = in->n_history > h->begin ? in->n_history - h->begin : 0;
    const lory_token *text = n ? in->history + h->begin : NULL;
    if (h->n_read > n || hash64_of(text, h->n_read * sizeof *text, 0) != hash64_end(&h->hash))
        read_again(h);
    while (h->n_read < n)
        if (!read_token(h, text[h->n_read], err)) return false;
    return true;
}

static bool is_banned(const chain_input *in, lory_token id)
{
    for (size_t i = 0; i < in->n_banned; i++)
        if (in->banned[i] == id) return true;
    return false;
}

static bool any_bit(const uint64_t *mask, size_t n_words)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n_words; i++) any |= mask[i];
    return any != 0;
}

/* Fills the mask of the tokens that may follow; *is_over: there is none, and needs to be none. */
static bool fill_allowed(held_text *h, const chain_input *in, uint64_t *allowed, bool *is_over,
                         lory_err *err)
{
    *is_over = false;
    if (!catch_up(h, in, err)
        || !grammar_allowed(&h->reader, h->at_start && !h->has_text, allowed, err))
        return false;
    bool is_whole = grammar_accepts(&h->reader);
    for (uint32_t i = 0; is_whole && i < h->t->n_ends; i++)
        if (!is_banned(in, h->t->end[i])) mask_put(allowed, h->t->end[i]);
    if (any_bit(allowed, h->t->n_words)) return true;
    *is_over = is_whole;
    return is_whole
           || err_set(err, LORY_E_ARGUMENT,
                      "grammar: no token of the vocabulary can follow the text as it is");
}

/* Streams keep the two uses of chance at one position apart. */
enum { STREAM_DRAW, STREAM_XTC };

bool chain_draw_at(chain *s, chain_desk *desk, const chain_input *in, lory_token *id,
                   lory_err *err)
{
    sample_draw *d = &desk->draw;
    if (!check_history(s, in, err) || !make_room(s, desk, in->n_history, err)
        || !load(s, &d->c, in, err))
        return false;
    bool is_over = false;
    if (s->held.reader.g && !fill_allowed(&s->held, in, d->allowed, &is_over, err)) return false;
    *id = -1;
    if (is_over) return true;
    d->params = &s->params;
    d->history = in->history;
    d->n_history = in->n_history;
    d->breakers = &s->breakers;
    d->u_draw = rng_uniform_at(s->params.seed, in->pos, STREAM_DRAW);
    d->u_xtc = rng_uniform_at(s->params.seed, in->pos, STREAM_XTC);
    int i = 0;
    for (; i < s->n_on && s->on[i]->kind <= HOLDS; i++) s->on[i]->apply(d);
    if (d->c.logit[candidates_best(&d->c)] == -INFINITY)
        return err_set(err, LORY_E_ARGUMENT, "sampler: %s leave no token to draw",
                       s->held.reader.g ? "bias, bans and grammar" : "bias and bans");
    for (; i < s->n_on; i++) s->on[i]->apply(d);
    *id = d->c.id[0];
    return true;
}

bool chain_draw(chain *s, const chain_input *in, lory_token *id, lory_err *err)
{
    return chain_draw_at(s, s->desk, in, id, err);
}
