/* tok_unigram.c - SentencePiece unigram (tokenizer.ggml.model "t5"): of all ways to cut the text
 * into pieces the one with the highest sum of scores (log probabilities), by Viterbi.
 * Layer: token. Source: Kudo 2018; sentencepiece unigram_model.cc for what the paper leaves open:
 * sums are rounded to float from the start of the text on, which decides near-ties; an unknown
 * character costs 10 more than the rarest piece; user-defined pieces always win. */
#include "base/err.h"
#include "base/mem.h"
#include "text/utf8.h"
#include "token/glm_text.h"
#include "token/kind.h"
#include "token/sp.h"
#include <float.h>

typedef struct {
    sp_base base;
    trie pieces;
    float unknown_score;
    float max_score; /* of normal pieces, but above 0 */
} unigram;

/* The best way to reach a byte of the text. */
typedef struct {
    float score;
    uint32_t start; /* of the piece that ends here */
    int32_t id;     /* of that piece; UNKNOWN, or UNREACHED */
} best_end;
enum { UNREACHED = -2, UNKNOWN = -1 };

typedef struct {
    buf prepared;   /* for ChatGLM-6B */
    buf text;       /* normalised */
    best_end *best; /* [cap_best] */
    size_t cap_best;
    bool last_is_unknown;
} unigram_scratch;

static bool init(tokenizer *t, lory_err *err)
{
    unigram *m = mem_new(1, sizeof *m);
    float min_score = FLT_MAX;
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    t->state = m;
    m->max_score = FLT_MIN;
    if (!sp_init(&m->base, t, err) || !trie_init(&m->pieces, err)) return false;
    for (size_t i = 0; i < t->v.n; i++) {
        size_t n;
        const char *s = sp_match_text(t, i, &n);
        float score = t->v.score[i];
        if (t->v.type[i] == TOKEN_NORMAL && score < min_score) min_score = score;
        if (t->v.type[i] == TOKEN_NORMAL && score > m->max_score) m->max_score = score;
        if (t->v.type[i] == TOKEN_UNUSED || !sp_is_matched(&t->v, i)) continue;
        if (!trie_add(&m->pieces, s, n, (int32_t)i, err)) return false;
    }
    m->unknown_score = min_score - 10.0f;
    return true;
}

static void unigram_free(void *state)
{
    unigram *m = state;
    sp_free(&m->base);
    trie_free(&m->pieces);
    mem_free(m);
}

/* A way to `end`, kept when it is the first or better than the best so far. */
static void offer(best_end *end, double score, size_t start, int32_t id)
{
    if (end->id != UNREACHED && !(score > (double)end->score)) return;
    *end = (best_end){ (float)score, (uint32_t)start, id };
}

static double piece_score(const tokenizer *t, int32_t id, size_t n)
{
    const unigram *m = t->state;
    if (t->v.type[id] == TOKEN_USER_DEFINED) return (double)((float)n * m->max_score) - 0.1;
    return (double)t->v.score[id];
}

/* Offers every piece that starts at `start`; a character that is none by itself is unknown. */
static void extend(const tokenizer *t, unigram_scratch *x, size_t start, size_t n_char)
{
    const unigram *m = t->state;
    double so_far = (double)x->best[start].score;
    uint32_t node = TRIE_ROOT;
    bool has_char = false;
    for (size_t i = start; i < x->text.len; i++) {
        node = trie_step(&m->pieces, node, (unsigned char)x->text.data[i]);
        if (!node) break;
        int32_t id = m->pieces.value[node];
        if (id < 0) continue;
        size_t n = i + 1 - start;
        offer(&x->best[i + 1], piece_score(t, id, n) + so_far, start, id);
        if (n == n_char) has_char = true;
    }
    if (has_char) return;
    float score = m->unknown_score + x->best[start].score;
    offer(&x->best[start + n_char], (double)score, start, UNKNOWN);
}

/* Turns the chain of best ends around: afterwards best[i].start is the end of the piece that
 * starts at i, and best[i].id its id. */
static void turn_around(best_end *best, size_t n)
{
    size_t end = n;
    int32_t id = best[n].id;
    size_t start = best[n].start;
    while (end > 0) {
        best_end before = best[start];
        best[start].id = id;
        best[start].start = (uint32_t)end;
        end = start;
        id = before.id;
        start = before.start;
    }
}

static bool put_best(const tokenizer *t, unigram_scratch *x, lory_tokens *out, lory_err *err)
{
    const unigram *m = t->state;
    turn_around(x->best, x->text.len);
    for (size_t i = 0, end; i < x->text.len; i = end) {
        int32_t id = x->best[i].id;
        end = x->best[i].start;
        if (id == UNKNOWN) {
            if (!sp_put_unknown(t, &m->base, x->text.data + i, end - i, &x->last_is_unknown, out,
                                err))
                return false;
            continue;
        }
        x->last_is_unknown = false;
        if (!tokens_put(out, id, err)) return false;
    }
    return true;
}

static bool reserve(unigram_scratch *x)
{
    if (x->text.len < x->cap_best) return true;
    mem_free(x->best);
    x->cap_best = x->text.len + 1;
    x->best = mem_new(x->cap_best, sizeof *x->best);
    if (!x->best) x->cap_best = 0;
    return x->best;
}

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    const unigram *m = t->state;
    unigram_scratch *x = scratch;
    uint32_t cp;
    buf_clear(&x->text);
    x->last_is_unknown = false;
    if (t->v.has_glm_text) {
        buf_clear(&x->prepared);
        if (!glm_text_put(&x->prepared, s, n))
            return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
        s = x->prepared.data;
        n = x->prepared.len;
    }
    if (!sp_normalize(&m->base, &t->v, s, n, &x->text) || x->text.len > UINT32_MAX || !reserve(x))
        return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
    if (x->text.len == 0) return true;
    for (size_t i = 1; i <= x->text.len; i++) x->best[i].id = UNREACHED;
    x->best[0] = (best_end){ 0 };
    for (size_t i = 0, len; i < x->text.len; i += len) {
        len = utf8_decode(x->text.data + i, x->text.len - i, &cp);
        extend(t, x, i, len);
    }
    return put_best(t, x, out, err);
}

static void scratch_free(void *scratch)
{
    unigram_scratch *x = scratch;
    buf_free(&x->prepared);
    buf_free(&x->text);
    mem_free(x->best);
    mem_free(x);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    (void)t;
    (void)n;
    return mem_new(1, sizeof(unigram_scratch));
}

const tokenizer_kind kind_unigram = {
    .name = "t5",
    .defaults = { .bos = -1,
                  .eos = 1,
                  .unk = 2,
                  .sep = -1,
                  .pad = 0,
                  .mask = -1,
                  .add_eos = true,
                  .add_space_prefix = true,
                  .remove_extra_whitespaces = true,
                  .escape_whitespaces = true },
    .flags = KIND_NEEDS_SCORES | KIND_STRIPS_FIRST_BLANK | KIND_SHOWS_UNKNOWN,
    .put_piece = sp_put_piece,
    .init = init,
    .free = unigram_free,
    .scratch_new = scratch_new,
    .scratch_free = scratch_free,
    .encode = encode,
};
