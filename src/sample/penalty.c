/* penalty.c - the stages that change single logits before anything is dropped.
 * Layer: sample. Formulas and sources: stage.h. */
#include "sample/stage.h"
#include <float.h>

/* Keeps an adjusted logit below +inf, which has no softmax; -inf is fine: never drawn. */
static float capped(float logit)
{
    return logit > FLT_MAX ? FLT_MAX : logit;
}

void stage_logit_bias(sample_draw *d)
{
    const lory_logit_bias *bias = d->params->logit_bias;
    for (size_t i = 0; i < d->params->n_logit_bias; i++) {
        float *logit = &d->c.logit[bias[i].id];
        *logit = capped(*logit + bias[i].bias);
    }
}

static float penalised(float logit, uint32_t n_times, const lory_sampler_params *p)
{
    float repeated = logit > 0.0f ? logit / p->repeat_penalty : logit * p->repeat_penalty;
    return capped(repeated - ((float)n_times * p->frequency_penalty + p->presence_penalty));
}

void stage_penalties(sample_draw *d)
{
    size_t n = d->n_history, last_n = (size_t)d->params->repeat_last_n; /* -1: all */
    const lory_token *recent = d->history;
    if (n > last_n) {
        recent += n - last_n;
        n = last_n;
    }
    for (size_t i = 0; i < n; i++) d->count[recent[i]]++;
    for (size_t i = 0; i < n; i++) {
        uint32_t *count = &d->count[recent[i]];
        float *logit = &d->c.logit[recent[i]];
        if (*count) *logit = penalised(*logit, *count, d->params);
        *count = 0; /* once for each token, and ready for the next draw */
    }
}
