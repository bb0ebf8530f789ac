/* truncate.c - the stages that drop candidates.
 * Layer: sample. Formulas and sources: stage.h. */
#include "base/fmath.h"
#include "sample/candidates.h"
#include <math.h>

/* 0.3f stands for 0.3, not for 0.300000012: the decimal of 7 places that gives the float, if one
 * does. So a sum of probabilities that reaches 0.3 exactly does reach the parameter. */
static double as_decimal(float x)
{
    double decimal = floor((double)x * 1e7 + 0.5) / 1e7;
    return (float)decimal == x ? decimal : x;
}

void stage_top_n_sigma(sample_draw *d)
{
    candidates *c = &d->c;
    double mean = 0.0, variance = 0.0;
    int n_finite = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->logit[i] == -INFINITY) continue;
        mean += c->logit[i];
        n_finite++;
    }
    mean /= n_finite;
    for (int i = 0; i < c->n; i++) {
        double off = c->logit[i] - mean;
        if (c->logit[i] != -INFINITY) variance += off * off;
    }
    double sigma = sqrt(variance / n_finite);
    double max = c->logit[candidates_best(c)];
    candidates_keep_above(c, max - d->params->top_n_sigma * sigma);
}

void stage_top_k(sample_draw *d)
{
    candidates_keep_largest(&d->c, d->params->top_k);
}

void stage_typical(sample_draw *d)
{
    candidates *c = &d->c;
    softmax_sum s = candidates_softmax(c);
    double h = candidates_entropy(c, s), ln_sum = math_log(s.sum);
    for (int i = 0; i < c->n; i++) {
        double surprise = ln_sum - ((double)c->logit[i] - (double)s.max); /* -ln p */
        c->key[i] = candidates_key((float)-fabs(surprise - h));
    }
    /* above, not just reached: the next number after the target */
    candidates_keep_best(c, true, nextafter(as_decimal(d->params->typical) * s.sum, INFINITY));
}

void stage_top_p(sample_draw *d)
{
    softmax_sum s = candidates_softmax(&d->c);
    candidates_key_by_logit(&d->c);
    candidates_keep_best(&d->c, true, as_decimal(d->params->top_p) * s.sum);
}

void stage_min_p(sample_draw *d)
{
    double max = d->c.logit[candidates_best(&d->c)];
    candidates_keep_above(&d->c, max + math_log(as_decimal(d->params->min_p)));
}

/* The worst of the candidates with p >= threshold, -1 when none has it. */
static int worst_top_choice(candidates *c, double threshold)
{
    int worst = -1;
    softmax_sum s = candidates_softmax(c);
    for (int i = 0; i < c->n; i++)
        if (c->p[i] >= threshold * s.sum && (worst < 0 || c->logit[i] <= c->logit[worst]))
            worst = i;
    return worst;
}

void stage_xtc(sample_draw *d)
{
    candidates *c = &d->c;
    if (d->u_xtc > d->params->xtc_probability || c->n < 2) return;
    int n = 0, worst = worst_top_choice(c, as_decimal(d->params->xtc_threshold));
    if (worst < 0) return;
    /* dropped: what comes before the worst top choice, best first and ties by id */
    lory_token worst_id = c->id[worst];
    float worst_logit = c->logit[worst];
    for (int i = 0; i < c->n; i++) {
        bool is_better =
            c->logit[i] > worst_logit || (c->logit[i] == worst_logit && c->id[i] < worst_id);
        if (is_better) continue;
        c->id[n] = c->id[i];
        c->logit[n++] = c->logit[i];
    }
    c->n = n;
}
