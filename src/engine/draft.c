/* draft.c - see draft.h. */
#include "engine/draft.h"

/* Until there is better knowledge: how often guesses come true, what each token adds to a step. */
static const float first_hit[DRAFT_MATCH + 1] = { 0,     0.05f, 0.15f, 0.3f, 0.4f,
                                                  0.5f, 0.55f, 0.6f,  0.65f };
static const float surest = 0.98f;
static const double token_cost = 0.04;
static const double least_gain = 1.1; /* below it a guess is not worth what is unsure of it */

void draft_init(draft *d, int n_max)
{
    *d = (draft){ .n_max = n_max < DRAFT_MAX ? n_max : DRAFT_MAX };
    for (int i = 0; i <= DRAFT_MATCH; i++) d->hit[i] = first_hit[i];
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

/* Seconds to reckon with for a step of n_tok tokens. Beyond what was measured each token adds half
 * of what those before did, at least a little: hope makes it be measured. */
static double cost_of(const draft *d, int n_tok)
{
    int known = n_tok;
    while (known > 1 && d->cost[known] == 0.0) known--;
    double each = known > 1 ? 0.5 * (d->cost[known] - d->cost[1]) / (known - 1) : 0.0;
    if (each < token_cost * d->cost[1]) each = token_cost * d->cost[1];
    return d->cost[known] + each * (n_tok - known);
}

/* How many tokens of the guess make the most tokens a second. */
static int best_length(const draft *d, int n_room)
{
    double all_true = 1.0, n_tok = 1.0; /* the token that is evaluated anyway */
    double best_rate = least_gain / d->cost[1];
    int best = 0;
    for (int i = 0; i < n_room; i++) {
        int match = d->match + i < DRAFT_MATCH ? d->match + i : DRAFT_MATCH;
        all_true *= d->hit[match] < surest ? d->hit[match] : surest;
        n_tok += all_true;
        double rate = n_tok / cost_of(d, i + 2);
        if (rate > best_rate) best_rate = rate, best = i + 1;
    }
    return best;
}

int draft_guess(draft *d, const lory_token *text, size_t n, int n_room)
{
    size_t at = find_match(text, n, &d->match), period = n - 1 - at;
    d->n_met = 0;
    d->n = d->match > 0 ? d->n_max : 0;
    /* past the end of the text the guess goes on with itself */
    for (int i = 0; i < d->n; i++)
        d->token[i] = (size_t)i < period ? text[at + 1 + (size_t)i] : d->token[(size_t)i - period];
    if (n_room > d->n) n_room = d->n;
    int n_guess = d->cost[1] > 0.0 ? best_length(d, n_room) : 0;
    d->n_drafted += (size_t)n_guess;
    return n_guess;
}

void draft_tell(draft *d, lory_token id)
{
    enum { MEMORY = 16 };
    if (d->n_met == d->n) return;
    int match = d->match + d->n_met < DRAFT_MATCH ? d->match + d->n_met : DRAFT_MATCH;
    bool is_true = d->token[d->n_met] == id;
    d->hit[match] += ((is_true ? 1.0f : 0.0f) - d->hit[match]) / MEMORY;
    if (is_true) d->n_met++;
    else d->n = d->n_met; /* the rest went on from another token */
}

/* What was measured long ago comes near to what one token takes now, so that it is tried again: the
 * machine may have been busy, the text short. */
static void fade(draft *d, int n_tok)
{
    enum { MEMORY = 2048 };
    for (int i = 2; i < DRAFT_MAX + 2; i++)
        if (i != n_tok && d->cost[i] > 0.0) d->cost[i] += (d->cost[1] - d->cost[i]) / MEMORY;
}

void draft_record(draft *d, int n_tok, double seconds)
{
    double *cost = &d->cost[n_tok];
    if (*cost == 0.0) *cost = seconds;
    if (seconds > 2.0 * *cost) seconds = 2.0 * *cost; /* the machine did something else */
    *cost += (seconds - *cost) / (n_tok > 1 && seconds > *cost ? 2 : 8); /* hope ends soon */
    fade(d, n_tok);
}
