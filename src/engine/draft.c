/* draft.c - see draft.h. */
#include "engine/draft.h"
#include <math.h>

/* Until there is better knowledge: how often guesses come true, what each token adds to a step. */
static const float first_hit[DRAFT_MATCH + 1] = { 0.6f, 0.05f, 0.15f, 0.3f, 0.4f,
                                                  0.5f, 0.55f, 0.6f,  0.65f };
static const float surest = 0.98f;
static const double token_cost[2] = { 0.04, 0.2 }; /* of a single token's step; [by_model] */
static const double least_gain = 1.1; /* below it a guess is not worth what is unsure of it */

void draft_init(draft *d, int n_max)
{
    *d = (draft){ .n_max = n_max < DRAFT_MAX ? n_max : DRAFT_MAX };
    for (int i = 0; i <= DRAFT_MATCH; i++) d->hit[i] = first_hit[i];
}

/* Where token i of the guess is counted. */
static float *hit_of(draft *d, int i)
{
    if (d->by_model) return &d->hit[0];
    return &d->hit[d->match + i < DRAFT_MATCH ? d->match + i : DRAFT_MATCH];
}

/* How many tokens before text[at] and including it are those before the text's end. */
static int match_length(const lory_token *text, size_t n, size_t at)
{
    int i = 0;
    while (i < DRAFT_MATCH && (size_t)i <= at && text[at - (size_t)i] == text[n - 1 - (size_t)i])
        i++;
    return i;
}

/* The end of the longest match, the last one of those. */
static size_t find_match(const lory_token *text, size_t n, int *length)
{
    size_t best = 0;
    *length = 0;
    for (size_t at = n - 1; at-- > 0 && *length < DRAFT_MATCH;) {
        if (text[at] != text[n - 1]) continue;
        int i = match_length(text, n, at);
        if (i > *length) *length = i, best = at;
    }
    return best;
}

void draft_from_text(draft *d, const lory_token *text, size_t n)
{
    size_t at = find_match(text, n, &d->match), period = n - 1 - at;
    d->by_model = false;
    d->n_met = 0;
    d->n = d->match > 0 ? d->n_max : 0;
    /* past the end of the text the guess goes on with itself */
    for (int i = 0; i < d->n; i++)
        d->token[i] = (size_t)i < period ? text[at + 1 + (size_t)i] : d->token[(size_t)i - period];
}

bool draft_from_model(draft *d)
{
    if (d->n > 0 && *hit_of(d, 0) >= d->hit[0]) return false;
    d->by_model = true;
    d->n = d->n_met = 0;
    return true;
}

/* Seconds to reckon with for a step of n_tok tokens. Beyond what was measured each token adds half
 * of what those before did, at least a little: hope makes it be measured. */
static double cost_of(const draft *d, int n_tok)
{
    const double *cost = d->cost[d->by_model], one = d->cost[0][1];
    int known = n_tok;
    while (known > 1 && cost[known] == 0.0) known--;
    double each = known > 1 ? 0.5 * (cost[known] - one) / (known - 1) : 0.0;
    if (each < token_cost[d->by_model] * one) each = token_cost[d->by_model] * one;
    return (known > 1 ? cost[known] : one) + each * (n_tok - known);
}

int draft_length(draft *d, int n_room)
{
    enum { MEMORY = 512 };
    const int n = d->by_model ? d->n_max : d->n;
    double all_true = 1.0, n_tok = 1.0; /* the token that is evaluated anyway */
    double best_rate = least_gain / d->cost[0][1];
    double cost = 0.0; /* no less than that of fewer tokens, which is known better */
    int best = 0;
    for (int i = 0; i < n && i < n_room && d->cost[0][1] > 0.0; i++) {
        float hit = *hit_of(d, i);
        all_true *= hit < surest ? hit : surest;
        n_tok += all_true;
        cost = fmax(cost, cost_of(d, i + 2));
        if (n_tok / cost > best_rate) best_rate = n_tok / cost, best = i + 1;
    }
    if (d->by_model && best == 0) /* or else nothing new would ever be learnt of it */
        d->hit[0] += (first_hit[0] - d->hit[0]) / MEMORY;
    return best;
}

void draft_tell(draft *d, lory_token id)
{
    enum { MEMORY = 32 };
    if (d->n_met == d->n) return;
    float *hit = hit_of(d, d->n_met);
    bool is_true = d->token[d->n_met] == id;
    *hit += ((is_true ? 1.0f : 0.0f) - *hit) / MEMORY;
    if (is_true) d->n_met++;
    else d->n = d->n_met; /* the rest went on from another token */
}

/* What was measured long ago comes near to what one token takes now, so that it is tried again: the
 * machine may have been busy, the text short. */
static void fade(double *cost, int n_tok, double one)
{
    enum { MEMORY = 256 };
    for (int i = 2; i < DRAFT_MAX + 2; i++)
        if (i != n_tok && cost[i] > 0.0) cost[i] += (one - cost[i]) / MEMORY;
}

void draft_record(draft *d, int n_tok, double seconds)
{
    double *cost = &d->cost[n_tok > 1 && d->by_model][n_tok];
    if (*cost == 0.0) *cost = seconds;
    if (seconds > 2.0 * *cost) seconds = 2.0 * *cost; /* the machine did something else */
    *cost += (seconds - *cost) / (n_tok > 1 && seconds > *cost ? 2 : 8); /* hope ends soon */
    for (int i = 0; i < 2; i++) fade(d->cost[i], i == d->by_model ? n_tok : 1, d->cost[0][1]);
}
