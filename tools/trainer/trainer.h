/* trainer.h - steps of training: gradients of a batch, AdamW, averages of the weights.
 *
 * The windows of a batch belong to N_LANES lanes, window i to lane i % N_LANES. A lane adds up the
 * gradients of its windows in their order, and lanes are added in theirs; threads only take lanes
 * to work on. So every sum is the same for any number of threads. */
#ifndef LORY_TRAINER_TRAINER_H
#define LORY_TRAINER_TRAINER_H

#include "base/team.h"
#include "data.h"
#include "net.h"

enum { N_LANES = 12, MAX_SOURCES = 64, MAX_BATCH = 1024 };

typedef struct {
    int n_steps, n_warmup, n_batch; /* steps; windows of a step */
    float lr, lr_end;               /* the cosine's ends; lr_end as a share of lr */
    float beta1, beta2, eps, decay, clip, dropout, drop_tokens;
    float split;   /* share of the tokens that come as two pieces; it falls with the rate */
    float average; /* how much of the average a step keeps; 0 = no average */
    uint64_t seed;
} trainer_params;

typedef struct trainer trainer;

/* What a step did. */
typedef struct {
    double loss; /* nats a target */
    double norm; /* of the gradient, before clipping */
    double lr;
    int64_t n_targets;
} trainer_report;

typedef struct {
    float *w, *m, *v, *average; /* [n_params] */
    uint64_t step;              /* steps done */
    uint64_t window;            /* windows taken */
    data_source source[MAX_SOURCES];
    int n_sources;
    data_split split; /* its memory is t's, too */
} trainer_state;

trainer *trainer_new(const net_shape *s, const trainer_params *p, lory_token bos, int n_threads,
                     lory_err *err);
void trainer_free(trainer *t);
net *trainer_net(trainer *t);
trainer_state *trainer_get_state(trainer *t); /* sources are put here; their memory is t's */
/* After w was changed from outside. */
void trainer_changed(trainer *t);

/* One step; allocates nothing. */
void trainer_step(trainer *t, trainer_report *report);

typedef struct {
    double loss;          /* nats a target */
    double bits_per_byte; /* of the source's bytes */
    int64_t n_targets;
} trainer_score;
/* The loss over a whole source, by the averages of the weights if there are any. */
void trainer_eval(trainer *t, const data_source *s, trainer_score *score);

net_speed trainer_speed(const trainer *t); /* of all threads so far */

#endif
