/* tok_unigram.c - SentencePiece unigram (tokenizer.ggml.model "t5"): of all ways to cut the text
 * into pieces the one with the highest sum of scores (log probabilities), by Viterbi.
 * Layer: token. Source: Kudo 2018; sentencepiece unigram_model.cc for what the paper leaves open:
 * sums are rounded to float from the start of the text on, which decides near-ties; an unknown
 * character costs 10 more than the rarest piece; user-defined pieces always win.
 *
 * A word met before is cut as it was then, if rounding can't have changed that: what the second
 * best way lacked (the margin) must be more than all roundings of both ways together. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/glm_text.h"
#include "token/kind.h"
#include "token/sp.h"
#include "token/word_cache.h"
#include <float.h>
#include <math.h>

typedef struct {
    sp_base base;
    trie pieces;
    double *score; /* [n_vocab] of the pieces */
    float unknown_score;
    float max_step; /* the score of a piece, by its bytes if it is user-defined, is at most so far
                       from 0 */
} unigram;

/* The best way to reach a byte of the text. */
typedef struct {
    float score;
    float second;   /* score of the next best way */
    uint32_t start; /* of the piece that ends here */
    int32_t id;     /* of that piece; UNKNOWN, or UNREACHED */
} best_end;
enum { UNREACHED = -2, UNKNOWN = -1 };

typedef struct {
    word_scratch w;
    buf prepared; /* for ChatGLM-6B */
    buf text;     /* normalised */
    size_t cap_best;
    best_end *best; /* [cap_best] for the bytes of one word */
    float score;    /* of the best way to its start */
    bool last_is_unknown;
    float *margin; /* [w.cache.mask + 1] of the words that the cache has */
} unigram_scratch;

/* ---- building ---------------------------------------------------------------------------- */

/* What user-defined pieces score lets them win over every other way. */
static void find_scores(unigram *m, const tokenizer *t)
{
    float min = FLT_MAX, max = FLT_MIN;
    for (size_t i = 0; i < t->v.n; i++) {
        if (t->v.type[i] != TOKEN_NORMAL) continue;
        if (t->v.score[i] < min) min = t->v.score[i];
        if (t->v.score[i] > max) max = t->v.score[i];
    }
    for (size_t i = 0, n; i < t->v.n; i++) {
        sp_match_text(t, i, &n);
        m->score[i] = t->v.type[i] == TOKEN_USER_DEFINED ? (double)((float)n * max) - 0.1
                                                         : (double)t->v.score[i];
    }
    m->unknown_score = min - 10.0f;
    m->max_step = fmaxf(fabsf(m->unknown_score), fabsf(max));
}

static bool init(tokenizer *t, lory_err *err)
{
    unigram *m = mem_new(1, sizeof *m);
    t->state = m;
    if (m) m->score = mem_new(t->v.n, sizeof *m->score);
    if (!m || !m->score)
        return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    if (!sp_init(&m->base, t, err) || !trie_init(&m->pieces, err)) return false;
    find_scores(m, t);
    for (size_t i = 0; i < t->v.n; i++) {
        size_t n;
        const char *s = sp_match_text(t, i, &n);
        if (t->v.type[i] == TOKEN_UNUSED || !sp_is_matched(&t->v, i)) continue;
        if (!trie_add(&m->pieces, s, n, (int32_t)i, err)) return false;
    }
    return trie_freeze(&m->pieces, err);
}

static void unigram_free(void *state)
{
    unigram *m = state;
    sp_free(&m->base);
    trie_free(&m->pieces);
    mem_free(m->score);
    mem_free(m);
}

/* ---- one word ---------------------------------------------------------------------------- */

/* A way to `end`, kept when it is the first or better than the best so far. */
static void offer(best_end *end, double score, size_t start, int32_t id)
{
    if (end->id != UNREACHED && !(score > (double)end->score)) {
        if (score > (double)end->second) end->second = (float)score;
        return;
    }
    float second = end->id == UNREACHED ? -INFINITY : end->score;
    *end = (best_end){ (float)score, second, (uint32_t)start, id };
}

/* Offers every piece that starts at `start`; a character that is none by itself is unknown. */
static void extend(const unigram *m, best_end *best, const char *s, size_t n, size_t start)
{
    double so_far = (double)best[start].score;
    uint32_t node = TRIE_ROOT, cp;
    size_t n_char = utf8_decode(s + start, n - start, &cp), char_end = start + n_char;
    bool has_char = false;
    for (size_t i = start; i < n; i++) {
        node = trie_step(&m->pieces, node, (unsigned char)s[i]);
        if (!node) break;
        int32_t id = m->pieces.cells[node].value;
        if (id < 0) continue;
        offer(&best[i + 1], m->score[id] + so_far, start, id);
        if (i + 1 == char_end) has_char = true;
    }
    if (has_char) return;
    float score = m->unknown_score + best[start].score;
    offer(&best[char_end], (double)score, start, UNKNOWN);
}

/* How much the roundings of two ways through a word of n bytes, n_ids of them the pieces of one,
 * can add up to, if it starts at this score. Half a unit in the last place each. */
static float rounding(const unigram *m, float score, size_t n, size_t n_ids)
{
    float largest = fabsf(score) + (float)n * m->max_step;
    return largest * (float)(n + n_ids + 4) * (FLT_EPSILON / 2);
}

/* What every other way through the word lacks at least: it joins the best one somewhere. */
static float margin_of(const unigram *m, const best_end *best, size_t n)
{
    float margin = INFINITY;
    size_t n_ids = 0;
    for (size_t end = n; end > 0; end = best[end].start, n_ids++) {
        if (best[end].id == UNKNOWN) return 0;
        margin = fminf(margin, best[end].score - best[end].second);
    }
    return margin - rounding(m, best[0].score, n, n_ids);
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

static bool put_best(unigram_scratch *x, const char *s, size_t n)
{
    word_scratch *w = &x->w;
    turn_around(x->best, n);
    for (size_t i = 0, end; i < n; i = end) {
        int32_t id = x->best[i].id;
        end = x->best[i].start;
        if (id == UNKNOWN) {
            if (!sp_put_unknown(w->t, s + i, end - i, &x->last_is_unknown, w->out, w->err))
                return false;
            continue;
        }
        x->last_is_unknown = false;
        if (!tokens_put(w->out, id, w->err)) return false;
    }
    return true;
}

static bool reserve(unigram_scratch *x, size_t n)
{
    if (n < x->cap_best) return true;
    mem_free(x->best);
    x->cap_best = n < SIZE_MAX / 2 ? n * 2 : 0;
    x->best = mem_new(x->cap_best, sizeof *x->best);
    if (!x->best) x->cap_best = 0;
    return x->best || err_set(x->w.err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
}

/* Finds the best way through the word and puts it out. */
static bool cut_word(unigram_scratch *x, const char *s, size_t n, float *margin)
{
    const unigram *m = x->w.t->state;
    if (!reserve(x, n)) return false;
    for (size_t i = 1; i <= n; i++) x->best[i].id = UNREACHED;
    x->best[0] = (best_end){ .score = x->score };
    for (size_t i = 0; i < n; i++)
        if (x->best[i].id != UNREACHED) extend(m, x->best, s, n, i);
    x->score = x->best[n].score;
    *margin = margin_of(m, x->best, n);
    return put_best(x, s, n);
}

/* Puts the pieces out again, and adds their scores in the same order. */
static bool repeat_word(unigram_scratch *x, const word_entry *e)
{
    const unigram *m = x->w.t->state;
    for (size_t i = 0; i < e->n_ids; i++) {
        int32_t id = x->w.out->id[e->first + i];
        x->score = (float)(m->score[id] + (double)x->score);
        if (!tokens_put(x->w.out, id, x->w.err)) return false;
    }
    x->last_is_unknown = false;
    return true;
}

static bool encode_word(unigram_scratch *x, const char *s, size_t n)
{
    float margin;
    if (n > WORD_CACHE_MAX_BYTES) return cut_word(x, s, n, &margin);
    uint64_t hash = hash_bytes(s, n);
    bool is_hit;
    word_entry *e = word_cache_find(&x->w.cache, s, n, hash, &is_hit);
    float *known = &x->margin[e - x->w.cache.entries];
    if (is_hit && *known > rounding(x->w.t->state, x->score, n, e->n_ids))
        return repeat_word(x, e);
    size_t first = x->w.out->n;
    if (!cut_word(x, s, n, &margin)) return false;
    if (margin > 0 && word_cache_put(e, s, n, hash, first, x->w.out->n - first))
        *known = margin;
    return true;
}

/* ---- text -------------------------------------------------------------------------------- */

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    const unigram *m = t->state;
    unigram_scratch *x = scratch;
    x->w.out = out;
    x->w.err = err;
    buf_clear(&x->text);
    x->score = 0;
    x->last_is_unknown = false;
    if (t->v.has_glm_text) {
        buf_clear(&x->prepared);
        if (!glm_text_put(&x->prepared, s, n))
            return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
        s = x->prepared.data;
        n = x->prepared.len;
    }
    if (!sp_normalize(&m->base, &t->v, s, n, &x->text) || x->text.len > UINT32_MAX)
        return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
    for (size_t at = 0, len; at < x->text.len; at += len) {
        len = sp_word_end(&m->base, x->text.data + at, x->text.len - at);
        if (!encode_word(x, x->text.data + at, len)) return false;
    }
    return true;
}

static void scratch_free(void *scratch)
{
    unigram_scratch *x = scratch;
    buf_free(&x->prepared);
    buf_free(&x->text);
    mem_free(x->best);
    mem_free(x->margin);
    word_scratch_free(&x->w);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    unigram_scratch *x = word_scratch_new(sizeof *x, t, n);
    if (!x || (x->margin = mem_new(x->w.cache.mask + 1, sizeof *x->margin))) return x;
    scratch_free(x);
    return NULL;
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
