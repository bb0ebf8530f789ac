/* candidates.c - see candidates.h. The selection is a radix walk over the keys from their highest
 * bits down, so it costs a few passes whatever the logits are and never sorts. */
#include "sample/candidates.h"
#include "base/fmath.h"
#include <string.h>

int candidates_best(const candidates *c)
{
    int best = 0;
    for (int i = 1; i < c->n; i++)
        if (c->logit[i] > c->logit[best]) best = i;
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
        if (c->p[i] > 0.0)
            h += c->p[i] / s.sum * (ln_sum - ((double)c->logit[i] - (double)s.max));
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
    int n = 0;
    for (int i = 0; i < c->n; i++)
        if (c->logit[i] >= min_logit) keep(c, n++, i);
    c->n = n;
}

uint32_t candidates_key(float x)
{
    uint32_t bits;
    x += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

enum { DIGIT_BITS = 11, N_BUCKET = 1 << DIGIT_BITS }; /* 32 key bits = 3 digits of 11, 11, 10 */

typedef struct {
    int n;         /* candidates whose key has this digit */
    double weight; /* of them together */
} bucket;

/* The last bucket that is needed, walking from the best down, to make the weights reach *target;
 * takes what the buckets before it hold off *target. */
static uint32_t walk(const bucket *buckets, double *target)
{
    uint32_t last = 0;
    double before = 0.0, before_last = 0.0;
    for (int b = N_BUCKET - 1; b >= 0; b--) {
        if (buckets[b].n == 0) continue;
        last = (uint32_t)b;
        before_last = before;
        before += buckets[b].weight;
        if (before >= *target) break;
    }
    *target -= before_last;
    return last;
}

/* The key at which the walk over falling keys reaches *target; what is left of *target is for the
 * candidates that have this very key. */
static uint32_t find_cut(const candidates *c, bool by_mass, double *target)
{
    bucket buckets[N_BUCKET];
    uint32_t cut = 0, known = 0; /* the mask of the bits of `cut` found so far */
    for (int shift = 2 * DIGIT_BITS - 1; shift >= -1; shift -= DIGIT_BITS) {
        int low = shift < 0 ? 0 : shift;
        memset(buckets, 0, sizeof buckets);
        for (int i = 0; i < c->n; i++) {
            if ((c->key[i] & known) != cut) continue;
            bucket *b = &buckets[(c->key[i] & ~known) >> low];
            b->n++;
            b->weight += by_mass ? c->p[i] : 1.0;
        }
        cut |= walk(buckets, target) << low;
        known = ~0u << low;
    }
    return cut;
}

void candidates_keep_best(candidates *c, bool by_mass, double target)
{
    uint32_t cut = find_cut(c, by_mass, &target);
    double equal = 0.0; /* weight of those kept that have the cut's key */
    bool done = false;
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->key[i] < cut || (c->key[i] == cut && done)) continue;
        if (c->key[i] == cut) {
            equal += by_mass ? c->p[i] : 1.0;
            done = equal >= target;
        }
        keep(c, n++, i);
    }
    c->n = n;
}
