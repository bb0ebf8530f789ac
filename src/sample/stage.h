/* stage.h - what a sampler stage is: a function over the candidates for the next token.
 * Layer: sample. Nothing here allocates; the chain owns every array.
 *
 * A stage changes logits or drops candidates. It never reorders them: ids stay ascending, so every
 * sum over candidates has one order and a tie goes to the lower id without being asked. What
 * "best first" decides (top-k, top-p, typical) is found by selection, not by sorting. exp and log
 * come from base/fmath, so the same logits give the same candidates on every machine. */
#ifndef LORY_SAMPLE_STAGE_H
#define LORY_SAMPLE_STAGE_H

#include "sample/dry.h"

typedef struct {
    int n;          /* candidates left, 1 or more */
    lory_token *id; /* [n] ascending; id[i] == i until a stage drops one */
    float *logit;   /* [n] finite, or -inf: never drawn */
    double *p;      /* [n] scratch: exp(logit - max) */
    uint32_t *key;  /* [n] scratch: larger = better */
} candidates;

/* One draw, as its stages see it. */
typedef struct {
    const lory_sampler_params *params;
    const lory_token *history; /* [n_history] the tokens so far, each 0 .. n_vocab-1 */
    size_t n_history;
    double u_draw, u_xtc; /* uniform in [0, 1), of this draw's seed and position */
    uint32_t *count;      /* [n_vocab] scratch of the penalties, all zero between stages */
    uint32_t *z;          /* [n_history] scratch of DRY, when that is on */
    const dry_breakers *breakers;
    uint64_t *allowed;    /* a bit for each token: what the grammar allows */
    candidates c;
} sample_draw;

typedef void (*stage_fn)(sample_draw *d);

/* ---- adjust: need every token still there (id[i] == i) ------------------------------------ */

void stage_logit_bias(sample_draw *d); /* l += b */
/* Of the last repeat_last_n tokens, n times each: l > 0 ? l / r : l * r (Keskar 2019,
 * arXiv:1909.05858, with the usual care for negative logits), then l -= n * frequency + presence
 * (the OpenAI API's definition). */
void stage_penalties(sample_draw *d);
/* Don't Repeat Yourself (by p-e-w, text-generation-webui, pull request 5677). For a token t that
 * came, among the last dry_penalty_last_n tokens, after a repetition of the last n, n as large as
 * can be and at most what lies behind the last breaker: if n >= dry_allowed_length,
 * l -= dry_multiplier * dry_base^(n - dry_allowed_length), at most FLT_MAX. Tokens that hold a
 * breaker are spared. */
void stage_dry(sample_draw *d);

/* Drops what the grammar does not allow, so that all that follows is over what it does. */
void stage_grammar(sample_draw *d);

/* ---- truncate ------------------------------------------------------------------------------ */

/* l >= max - n * sigma, the population standard deviation of the finite logits (Tang 2024,
 * arXiv:2411.07641). */
void stage_top_n_sigma(sample_draw *d);
/* The k largest logits (Fan 2018, arXiv:1805.04833). */
void stage_top_k(sample_draw *d);
/* By |-ln p - H|, nearest to the entropy H first, until the sum of p is above `typical`; at least
 * one (Meister 2022, arXiv:2202.00666). Compared in single precision. */
void stage_typical(sample_draw *d);
/* The fewest of the most probable whose sum of p reaches top_p; at least one (Holtzman 2019,
 * arXiv:1904.09751). */
void stage_top_p(sample_draw *d);
/* l >= max + ln(min_p), which is p >= min_p * p_max (Nguyen 2024, arXiv:2407.01082). */
void stage_min_p(sample_draw *d);
/* When u_xtc <= xtc_probability: of the candidates with p >= xtc_threshold only the least probable
 * stays ("exclude top choices", by p-e-w). */
void stage_xtc(sample_draw *d);

/* ---- end ----------------------------------------------------------------------------------- */

/* l = (l - max) / T, which never overflows; T = 0 leaves the first maximum only. With
 * dynatemp_range r: T = lo + (hi - lo) * (H / ln n)^exponent, lo = max(0, T - r), hi = T + r
 * (by kalomaze), H the entropy of the n candidates. */
void stage_temperature(sample_draw *d);
/* Leaves one candidate: the first whose running sum of p is above u_draw * (sum of all p). */
void stage_draw(sample_draw *d);

#endif
