/* candidates.c - see candidates.h. The selection is a radix walk over the keys from their highest
 * bits down, so it costs a few passes whatever the logits are and never sorts. */
#include "sample/candidates.h"
#include "base/fmath.h"
#include <math.h>
#include <string.h>

enum { STRIDE = 16 }; /* most are looked at once, without a branch for each logit */

int candidates_best(const candidates *c)
{
    const float *logit = c->logit;
    int best = 0, i = 0;
    float max = logit[0];
    for (; i + STRIDE <= c->n; i += STRIDE) {
        int n_above = 0;
        for (int j = 0; j < STRIDE; j++) n_above += logit[i + j] > max;
        for (int j = 0; n_above > 0 && j < STRIDE; j++)
            if (logit[i + j] > max) max = logit[best = i + j];
    }
    for (; i < c->n; i++)
        if (logit[i] > max) max = logit[best = i];
    return best;
}

softmax_sum candidates_softmax(candidates *c)
{
    softmax_sum s = { c->logit[candidates_best(c)], 0.0 };
    for (int i = 0; i < c->n; i++) {
        c->p[i] = math_exp((double)c->logit[i] - (double)s.max);
        s.sum += c->p[i];
    }
    return s;
}

double candidates_entropy(const candidates *c, softmax_sum s)
{
    double h = 0.0, ln_sum = math_log(s.sum);
    for (int i = 0; i < c->n; i++)
        if (c->p[i] > 0.0) h += c->p[i] / s.sum * (ln_sum - ((double)c->logit[i] - (double)s.max));
    return h;
}

static void keep(candidates *c, int to, int from)
{
    c->id[to] = c->id[from];
    c->logit[to] = c->logit[from];
}

void candidates_keep_only(candidates *c, int i)
{
    keep(c, 0, i);
    c->n = 1;
}

void candidates_keep_above(candidates *c, double min_logit)
{
    int n = 0, i = 0;
    float least = (float)min_logit;
    if (least < min_logit) least = nextafterf(least, INFINITY);
    for (; i + STRIDE <= c->n; i += STRIDE) {
        int n_above = 0;
        for (int j = 0; j < STRIDE; j++) n_above += c->logit[i + j] >= least;
        for (int j = 0; n_above > 0 && j < STRIDE; j++)
            if (c->logit[i + j] >= least) keep(c, n++, i + j);
    }
    for (; i < c->n; i++)
        if (c->logit[i] >= least) keep(c, n++, i);
    c->n = n;
}

uint32_t candidates_key(float x)
{
    uint32_t bits;
    x += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof bits);
    uint32_t is_negative = bits >> 31; /* without a branch: signs are hard to foretell */
    return bits ^ ((0u - is_negative) | 0x80000000u);
}

void candidates_key_by_logit(candidates *c)
{
    for (int i = 0; i < c->n; i++) c->key[i] = candidates_key(c->logit[i]);
}

enum { N_BUCKET = 1 << 11 }; /* 32 key bits are 3 digits of 11, 11 and 10 */

typedef struct {
    int n;       /* candidates whose key has this digit */
    double mass; /* of their p */
} bucket;

/* The last bucket that is needed, walking from the best down, to reach *target; takes what the
 * buckets before it hold off *target. */
static uint32_t walk(const bucket *buckets, bool by_mass, double *target)
{
    uint32_t last = 0;
    double before = 0.0, before_last = 0.0;
    for (int b = N_BUCKET - 1; b >= 0; b--) {
        if (buckets[b].n == 0) continue;
        last = (uint32_t)b;
        before_last = before;
        before += by_mass ? buckets[b].mass : buckets[b].n;
        if (before >= *target) break;
    }
    *target -= before_last;
    return last;
}

/* A digit of the keys: the bits from `low` up to those of the mask `known`. */
typedef struct {
    uint32_t known;
    int low;
} digit;

static const digit digits[] = { { 0, 21 }, { ~0u << 21, 10 }, { ~0u << 10, 0 } };

/* Counts by this digit the candidates that agree with `cut` in the digits before. */
static void fill(bucket *buckets, const candidates *c, bool by_mass, uint32_t cut, digit d)
{
    memset(buckets, 0, N_BUCKET * sizeof *buckets);
    for (int i = 0; i < c->n; i++) {
        if ((c->key[i] & d.known) != cut) continue;
        bucket *b = &buckets[(c->key[i] & ~d.known) >> d.low];
        b->n++;
        if (by_mass) b->mass += c->p[i];
    }
}

static void drop_below(candidates *c, uint32_t cut)
{
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->key[i] < cut) continue;
        c->key[n] = c->key[i];
        c->p[n] = c->p[i];
        keep(c, n++, i);
    }
    c->n = n;
}

/* The key that a walk over those of *c ends at, which is the target-th largest. */
static uint32_t key_at(const candidates *c, double target)
{
    bucket buckets[N_BUCKET];
    uint32_t cut = 0;
    for (int i = 0; i < 3; i++) {
        fill(buckets, c, false, cut, digits[i]);
        cut |= walk(buckets, false, &target) << digits[i].low;
    }
    return cut;
}

void candidates_keep_best(candidates *c, bool by_mass, double target)
{
    bucket buckets[N_BUCKET];
    uint32_t cut = 0; /* the key at which the walk ends, known from the highest digit down */
    for (int i = 0; i < 3; i++) {
        fill(buckets, c, by_mass, cut, digits[i]);
        cut |= walk(buckets, by_mass, &target) << digits[i].low;
        drop_below(c, cut);
    }
    double equal = 0.0; /* of those kept that have the very key */
    bool is_reached = false;
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->key[i] == cut) {
            if (is_reached) continue;
            equal += by_mass ? c->p[i] : 1.0;
            is_reached = equal >= target;
        }
        keep(c, n++, i);
    }
    c->n = n;
}

/* Drops what k others are surely above. Of each of N_COLUMN columns the largest logit is found; k
 * of those are as large as the k-th of them, so nothing below that one is among the k best. Two
 * passes without a branch for each logit leave a few hundred of a vocabulary to select from. */
static void thin(candidates *c, int k)
{
    enum { N_COLUMN = 1024 };
    float max[N_COLUMN];
    uint32_t key[N_COLUMN];
    if (k > N_COLUMN / 2 || c->n < 4 * N_COLUMN) return;
    memcpy(max, c->logit, sizeof max);
    for (int i = N_COLUMN; i + N_COLUMN <= c->n; i += N_COLUMN)
        for (int j = 0; j < N_COLUMN; j++) {
            float x = c->logit[i + j];
            max[j] = x > max[j] ? x : max[j];
        }
    for (int j = 0; j < N_COLUMN; j++) key[j] = candidates_key(max[j]);
    uint32_t cut = key_at(&(candidates){ .n = N_COLUMN, .key = key }, k);
    int j = 0;
    while (key[j] != cut) j++;
    candidates_keep_above(c, max[j]);
}

void candidates_keep_largest(candidates *c, int k)
{
    if (k >= c->n) return;
    thin(c, k);
    candidates_key_by_logit(c);
    candidates_keep_best(c, false, k);
}
