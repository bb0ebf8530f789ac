/* tok_plamo2.c - PLaMo 2 (tokenizer.ggml.model "plamo2"): of all ways to cut the text into pieces
 * the one with the highest sum of scores, worked out from the end of the text in whole numbers.
 * Layer: token. Source: tokenization_plamo.py of the model.
 *
 * Scores are rounded to 1/10000; of equal sums the longest first piece wins. A character that is
 * left over costs 1000 and becomes its bytes; a piece worse than two of those is never used. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/kind.h"
#include "token/sp.h"
#include <math.h>

#define SCALE 1e4
enum { UNKNOWN_SCORE = -10000000, INVALID_SCORE = -20000000, UNKNOWN = -1 };

typedef struct {
    sp_base base;
    trie pieces;
    int32_t *score; /* [n_vocab] */
} plamo2;

/* The best way from a byte of the text to its end. */
typedef struct {
    int64_t cost;
    uint32_t len; /* bytes of its first piece */
    int32_t id;   /* of that; UNKNOWN */
} best_start;

static int32_t whole_score(float score)
{
    double scaled = round((double)score * SCALE);
    if (!(scaled > INVALID_SCORE)) return INVALID_SCORE;
    return scaled < -(double)INVALID_SCORE ? (int32_t)scaled : -INVALID_SCORE;
}

static bool init(tokenizer *t, lory_err *err)
{
    plamo2 *m = mem_new(1, sizeof *m);
    t->state = m;
    if (m) m->score = mem_new(t->v.n, sizeof *m->score);
    if (!m || !m->score)
        return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    if (!sp_init(&m->base, t, err) || !trie_init(&m->pieces, err)) return false;
    if (!m->base.has_bytes)
        return err_set(err, LORY_E_FORMAT, "%s: tokenizer \"plamo2\" needs all 256 byte tokens",
                       t->v.path);
    for (size_t i = 0; i < t->v.n; i++) {
        gguf_str s = t->v.text[i];
        m->score[i] = whole_score(t->v.score[i]);
        if (t->v.type[i] != TOKEN_NORMAL || s.n == 0 || m->score[i] == INVALID_SCORE) continue;
        if (!trie_add(&m->pieces, s.s, s.n, (int32_t)i, err)) return false;
    }
    return trie_freeze(&m->pieces, err);
}

static void plamo2_free(void *state)
{
    plamo2 *m = state;
    sp_free(&m->base);
    trie_free(&m->pieces);
    mem_free(m->score);
    mem_free(m);
}

static bool put_piece(const vocab *v, int32_t id, buf *out)
{
    int byte = v->type[id] == TOKEN_BYTE ? vocab_byte_of(v->text[id]) : -1;
    return byte >= 0 ? buf_putc(out, (char)byte) : buf_put(out, v->text[id].s, v->text[id].n);
}

/* best[0], where best[1..n] are known. */
static void find_best(const plamo2 *m, best_start *best, const char *s, size_t n)
{
    uint32_t node = TRIE_ROOT, cp;
    size_t n_char = utf8_decode(s, n, &cp);
    *best = (best_start){ best[n_char].cost - UNKNOWN_SCORE, (uint32_t)n_char, UNKNOWN };
    for (size_t i = 0; i < n && (node = trie_step(&m->pieces, node, (unsigned char)s[i])); i++) {
        int32_t id = m->pieces.cells[node].value;
        if (id < 0) continue;
        int64_t cost = best[i + 1].cost - m->score[id];
        if (cost <= best->cost) *best = (best_start){ cost, (uint32_t)i + 1, id };
    }
}

static bool put_best(const tokenizer *t, const best_start *best, const char *s, size_t n,
                     lory_tokens *out, lory_err *err)
{
    bool last_is_unknown = false;
    for (size_t i = 0; i < n; i += best[i].len) {
        bool ok = best[i].id == UNKNOWN
                      ? sp_put_unknown(t, s + i, best[i].len, &last_is_unknown, out, err)
                      : tokens_put(out, best[i].id, err);
        if (!ok) return false;
    }
    return true;
}

/* A byte order mark at the start is left out. */
static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    (void)scratch;
    size_t n_mark = utf8_mark(s, n);
    s += n_mark, n -= n_mark;
    best_start *best = mem_new(n + 1, sizeof *best);
    if (!best) return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
    for (size_t i = n; i-- > 0;) find_best(t->state, best + i, s + i, n - i);
    bool ok = put_best(t, best, s, n, out, err);
    mem_free(best);
    return ok;
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    (void)t;
    (void)n;
    return mem_new(1, 1);
}

const tokenizer_kind kind_plamo2 = {
    .name = "plamo2",
    .defaults = { .bos = 1, .eos = 2, .unk = 0, .sep = -1, .pad = 3, .mask = -1 },
    .flags = KIND_CUTS_USER_DEFINED | KIND_NEEDS_SCORES,
    .put_piece = put_piece,
    .init = init,
    .free = plamo2_free,
    .scratch_new = scratch_new,
    .scratch_free = mem_free,
    .encode = encode,
};
