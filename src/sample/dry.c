/* dry.c - DRY: see stage.h for what it is, dry.h for its breakers. */
#include "sample/dry.h"
#include "base/err.h"
#include "base/fmath.h"
#include "base/mem.h"
#include "sample/stage.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- breakers ---------------------------------------------------------------------------- */

bool dry_breakers_copy(dry_breakers *b, const char *const *text, size_t n, lory_err *err)
{
    *b = (dry_breakers){ .text = mem_new(n, sizeof *b->text) };
    bool ok = b->text != NULL;
    for (; ok && b->n < n; b->n++) {
        size_t n_bytes = strlen(text[b->n]) + 1;
        char *copy = mem_new(n_bytes, 1);
        ok = copy != NULL;
        if (ok) b->text[b->n] = memcpy(copy, text[b->n], n_bytes);
    }
    return ok || err_set(err, LORY_E_MEMORY, "sampler: no memory for %zu breakers", n);
}

void dry_breakers_free(dry_breakers *b)
{
    for (size_t i = 0; b->text && i < b->n; i++) mem_free(b->text[i]);
    mem_free(b->text);
    *b = (dry_breakers){ 0 };
}

static const char *piece(const dry_breakers *b, lory_token id, size_t *n)
{
    *n = 0;
    return b->t && (size_t)id < tokenizer_n_vocab(b->t) ? tokenizer_piece(b->t, id, n) : "";
}

bool dry_is_breaker(const dry_breakers *b, lory_token id)
{
    size_t n;
    const char *s = piece(b, id, &n);
    for (size_t i = 0; i < b->n; i++)
        if (memmem(s, n, b->text[i], strlen(b->text[i]))) return true;
    return false;
}

/* Whether `text` goes on from byte `at` of token i to its end; *i becomes the token of its end. */
static bool is_spelled(const dry_breakers *b, const char *text, const lory_token *id, size_t n,
                       size_t *i, size_t at)
{
    for (;; at = 0) {
        size_t n_piece, n_text = strlen(text);
        const char *s = piece(b, id[*i], &n_piece);
        size_t n_same = n_text < n_piece - at ? n_text : n_piece - at;
        if (memcmp(s + at, text, n_same) != 0) return false;
        text += n_same;
        if (!*text) return true;
        if (++*i == n) return false;
    }
}

/* Behind which token the last breaker ends that begins in token i; 0: none begins there. */
static size_t end_of_breaker(const dry_breakers *b, const lory_token *id, size_t n, size_t i)
{
    size_t n_piece, last = 0;
    const char *s = piece(b, id[i], &n_piece);
    for (size_t k = 0; k < b->n; k++)
        for (size_t at = 0; at < n_piece; at++) {
            size_t end = i;
            if (s[at] == b->text[k][0] && is_spelled(b, b->text[k], id, n, &end, at)
                && end + 1 > last)
                last = end + 1;
        }
    return last;
}

size_t dry_count_unbroken(const dry_breakers *b, const lory_token *id, size_t n)
{
    for (size_t i = n; b->n > 0 && i > 0; i--) {
        size_t end = end_of_breaker(b, id, n, i - 1);
        if (end) return n - end;
    }
    return n;
}

/* ---- the stage --------------------------------------------------------------------------- */

/* z[i] = how many of the tokens up to id[n - 1 - i] are those up to id[n - 1], both read backwards
 * (Gusfield 1997, the Z algorithm: linear time). */
static void match_ends(const lory_token *id, size_t n, uint32_t *z)
{
    const lory_token *last = id + n - 1;
    z[0] = (uint32_t)n;
    for (size_t i = 1, left = 0, right = 0; i < n; i++) {
        size_t k = 0; /* [left, right) is the match that reaches farthest */
        if (i < right) k = z[i - left] < right - i ? z[i - left] : right - i;
        while (i + k < n && last[-(ptrdiff_t)(i + k)] == last[-(ptrdiff_t)k]) k++;
        z[i] = (uint32_t)k;
        if (i + k > right) {
            left = i;
            right = i + k;
        }
    }
}

static void penalise(float *logit, size_t n_match, const lory_sampler_params *p)
{
    double power = (double)n_match - p->dry_allowed_length;
    double penalty = (double)p->dry_multiplier * math_pow((double)p->dry_base, power);
    double x = (double)*logit - (penalty < (double)FLT_MAX ? penalty : (double)FLT_MAX);
    if (*logit > -INFINITY) *logit = x > -(double)FLT_MAX ? (float)x : -FLT_MAX;
}

void stage_dry(sample_draw *d)
{
    const lory_sampler_params *p = d->params;
    size_t n = d->n_history, last_n = (size_t)p->dry_penalty_last_n; /* -1: all */
    const lory_token *id = d->history;
    if (n > last_n) {
        id += n - last_n;
        n = last_n;
    }
    if (n < 2) return;
    size_t most = dry_count_unbroken(d->breakers, id, n), least = (size_t)p->dry_allowed_length;
    match_ends(id, n, d->z);
    /* count: one more than the longest match that the token followed */
    for (size_t i = 1; i < n; i++) {
        size_t n_match = d->z[i] < most ? d->z[i] : most;
        uint32_t *count = &d->count[id[n - i]];
        if (n_match >= least && n_match + 1 > *count) *count = (uint32_t)n_match + 1;
    }
    for (size_t i = 1; i < n; i++) {
        uint32_t *count = &d->count[id[n - i]];
        if (*count && !dry_is_breaker(d->breakers, id[n - i]))
            penalise(&d->c.logit[id[n - i]], *count - 1, p);
        *count = 0; /* once for each token, and ready for the next draw */
    }
}
