/* finish.c - the last stages: temperature and the draw.
 * Layer: sample. Formulas and sources: stage.h. */
#include "base/fmath.h"
#include "sample/candidates.h"

static double dynamic_temperature(candidates *c, const lory_sampler_params *p)
{
    double low = p->temp - p->dynatemp_range, high = p->temp + p->dynatemp_range;
    if (low < 0.0) low = 0.0;
    if (c->n < 2) return p->temp;
    double share = candidates_entropy(c, candidates_softmax(c)) / math_log(c->n);
    return low + (high - low) * math_pow(share, p->dynatemp_exponent);
}

void stage_temperature(sample_draw *d)
{
    candidates *c = &d->c;
    int best = candidates_best(c);
    double max = c->logit[best], temp = d->params->temp;
    if (d->params->dynatemp_range > 0.0f) temp = dynamic_temperature(c, d->params);
    if (temp <= 0.0) {
        candidates_keep_only(c, best);
        return;
    }
    for (int i = 0; i < c->n; i++) c->logit[i] = (float)((c->logit[i] - max) / temp);
}

void stage_draw(sample_draw *d)
{
    candidates *c = &d->c;
    double target = d->u_draw * candidates_softmax(c).sum, sum = 0.0;
    int drawn = 0;
    for (int i = 0; i < c->n && sum <= target; i++) {
        sum += c->p[i];
        if (c->p[i] > 0.0) drawn = i;
    }
    candidates_keep_only(c, drawn);
}
