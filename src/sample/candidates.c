/* candidates.c - see candidates.h. The selection is a radix walk over the keys from their highest
 * bits down, so it costs a few passes whatever the logits are and never sorts. */
#include "sample/candidates.h"
#include "base/bytes.h"
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
    math_exp_below(c->n, c->logit, s.max, c->p);
    for (int i = 0; i < c->n; i++) s.sum += c->p[i];
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
    uint32_t bits = f32_bits(x + 0.0f); /* -0 becomes 0 */
    uint32_t is_negative = bits >> 31; /* without a branch: signs are hard to foretell */
    return bits ^ ((0u - is_negative) | 0x80000000u);
}

void candidates_key_by_logit(candidates *c)
{
    for (int i = 0; i < c->n; i++) c->key[i] = candidates_key(c->logit[i]);
}

enum { N_BUCKET = 1 << 11 }; /* 32 key bits are 3 digits of 11, 11 and 10 */

/* Few candidates touch few buckets: the others are neither cleared nor looked at. */
typedef struct {
    uint64_t used[N_BUCKET / 64]; /* a bit for each bucket that holds any */
    double mass[N_BUCKET];        /* of candidates whose key has this digit: their number or p */
} buckets;

/* The last bucket that is needed, walking from the best down, to reach *target; takes what the
 * buckets before it hold off *target. */
static uint32_t walk(const buckets *b, double *target)
{
    uint32_t last = 0;
    double before = 0.0, mass = 0.0;
    bool is_reached = false;
    for (int w = N_BUCKET / 64 - 1; w >= 0 && !is_reached; w--)
        for (uint64_t left = b->used[w]; left != 0 && !is_reached;) {
            int bit = 63 - __builtin_clzll(left);
            left ^= (uint64_t)1 << bit;
            last = (uint32_t)(w * 64 + bit);
            before += mass;
            mass = b->mass[last];
            is_reached = before + mass >= *target;
        }
    *target -= before;
    return last;
}

/* A digit of the keys: the bits from `low` up to those of the mask `known`. */
typedef struct {
    uint32_t known;
    int low;
} digit;

static const digit digits[] = { { 0, 21 }, { ~0u << 21, 10 }, { ~0u << 10, 0 } };

/* Counts by this digit the candidates that agree with `cut` in the digits before. */
static void fill(buckets *b, const candidates *c, bool by_mass, uint32_t cut, digit d)
{
    memset(b->used, 0, sizeof b->used);
    for (int i = 0; i < c->n; i++) {
        if ((c->key[i] & d.known) != cut) continue;
        uint32_t at = (c->key[i] & ~d.known) >> d.low;
        uint64_t bit = (uint64_t)1 << at % 64;
        if (!(b->used[at / 64] & bit)) {
            b->used[at / 64] |= bit;
            b->mass[at] = 0.0;
        }
        b->mass[at] += by_mass ? c->p[i] : 1.0;
    }
}

/* The key at which a walk over the candidates ends, known from the highest digit down; takes what
 * is above it off *target. */
static uint32_t key_at(const candidates *c, bool by_mass, double *target)
{
    buckets b;
    uint32_t cut = 0;
    for (int i = 0; i < 3; i++) {
        fill(&b, c, by_mass, cut, digits[i]);
        cut |= walk(&b, target) << digits[i].low;
    }
    return cut;
}

void candidates_keep_best(candidates *c, bool by_mass, double target)
{
    /* the key at which the walk ends */
    const uint32_t cut = key_at(c, by_mass, &target);
    double equal = 0.0; /* of those kept that have the very key */
    bool is_reached = false;
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->key[i] < cut) continue;
        if (c->key[i] == cut) {
            if (is_reached) continue;
            equal += by_mass ? c->p[i] : 1.0;
            is_reached = equal >= target;
        }
        keep(c, n++, i);
    }
    c->n = n;
}

/* ---- peaks ----------------------------------------------------------------------------------- */

enum { BLOCK = CANDIDATES_BLOCK };

/* If they are numbers; in a form that compilers make vectors of. */
static float larger(float a, float b)
{
    return b > a ? b : a;
}

/* The largest of BLOCK logits. */
static float peak_of(const float *x, bool *is_good)
{
    enum { LANES = BLOCK / 4 };
    float max[LANES], top[4];
    int good[LANES], all[4];
    for (int j = 0; j < LANES; j++) {
        max[j] = larger(larger(x[j], x[j + LANES]), larger(x[j + 2 * LANES], x[j + 3 * LANES]));
        good[j] = (x[j] < INFINITY) & (x[j + LANES] < INFINITY) & (x[j + 2 * LANES] < INFINITY)
                  & (x[j + 3 * LANES] < INFINITY); /* not when it is NaN either */
    }
    for (int j = 0; j < 4; j++) {
        top[j] = larger(larger(max[j], max[j + 4]), larger(max[j + 8], max[j + 12]));
        all[j] = good[j] & good[j + 4] & good[j + 8] & good[j + 12];
    }
    *is_good &= all[0] & all[1] & all[2] & all[3];
    return larger(larger(top[0], top[1]), larger(top[2], top[3]));
}

bool candidates_find_peaks(const float *logits, int n, uint32_t *peak)
{
    bool is_good = true;
    int i = 0;
    for (; i + BLOCK <= n; i += BLOCK) *peak++ = candidates_key(peak_of(logits + i, &is_good));
    if (i == n) return is_good;
    float rest[BLOCK];
    for (int j = 0; j < BLOCK; j++) rest[j] = i + j < n ? logits[i + j] : -INFINITY;
    *peak = candidates_key(peak_of(rest, &is_good));
    return is_good;
}

/* The float that has the key. */
static float logit_of(uint32_t key)
{
    return f32_of_bits(key & 0x80000000u ? key ^ 0x80000000u : ~key);
}

float candidates_kth_peak(uint32_t *peak, int n, int k)
{
    candidates peaks = { .n = n, .key = peak };
    double target = k;
    uint32_t max = 0;
    if (k > n) return -INFINITY;
    if (k > 1) return logit_of(key_at(&peaks, false, &target));
    for (int i = 0; i < n; i++) max = peak[i] > max ? peak[i] : max;
    return logit_of(max);
}

void candidates_load(candidates *c, const float *logits, int n, float least)
{
    const uint32_t floor_key = candidates_key(least);
    if (least == -INFINITY) {
        if (logits != c->logit) memcpy(c->logit, logits, (size_t)n * sizeof *logits);
        for (int i = 0; i < n; i++) c->id[i] = i;
        c->n = n;
        return;
    }
    c->n = 0;
    for (int b = 0, i = 0; i < n; b++, i += BLOCK) {
        if (c->key[b] < floor_key) continue;
        for (int j = i; j < n && j < i + BLOCK; j++) {
            if (!(logits[j] >= least)) continue; /* few are */
            c->id[c->n] = j;
            c->logit[c->n++] = logits[j];
        }
    }
}

void candidates_keep_largest(candidates *c, int k)
{
    if (k >= c->n) return;
    if (c->n > BLOCK) {
        candidates_find_peaks(c->logit, c->n, c->key);
        candidates_keep_above(c, candidates_kth_peak(c->key, candidates_n_peaks(c->n), k));
    }
    candidates_key_by_logit(c);
    candidates_keep_best(c, false, k);
}
