/* exec.h - runs a plan: one loop over its steps on a team of threads.
 * Layer: engine. An exec owns its plan, team and scratch; one thread at a time calls it. All memory
 * is taken by exec_open; running allocates nothing. */
#ifndef LORY_ENGINE_EXEC_H
#define LORY_ENGINE_EXEC_H

#include "base/team.h"
#include "engine/kv.h"
#include "engine/pace.h"
#include "engine/parts.h"
#include "engine/plan.h"
#include <stdatomic.h>

typedef struct {
    int n_batch;   /* most tokens of one batch */
    int n_out;     /* most rows of logits at once */
    int n_threads;
    bool no_fuse;  /* for tests; always so with on_input */
    lory_on_input on_input; /* shown the input of every product of the body; may be NULL */
    void *on_input_user;
    const lory_lora_use *lora; /* [n_lora] adapters, read by exec_open only */
    size_t n_lora;
} exec_params;

enum { N_PACES = 16 };

/* Where the prefix of a sequence ends, for models that have one (hparams.has_prefix). */
typedef struct {
    int n;        /* tokens of the prefix, which see each other; run in one batch */
    int mask_pos; /* the position of all tokens after it */
} exec_prefix;

/* Tokens that run together: new tokens of any sequences, each sequence's in ascending positions
 * which the cache has reserved. */
typedef struct {
    int n_tok;
    const lory_token *id; /* [n_tok] */
    const int *pos;       /* [n_tok] */
    const int *seq;       /* [n_tok] */
    exec_prefix prefix;   /* of the one sequence; {0} for models without */
} exec_batch;

typedef struct {
    const model *m;
    const lory_kernels *kn;
    kv_cache *kv;
    team *team;
    plan plan;
    exec_params par;

    /* scratch, carved from one lazily committed block; rows are ld floats apart */
    void *block;
    size_t block_bytes;
    float *slot[SLOT_COUNT]; /* [n_batch, ld]; PICKED and LOGITS: [n_out, ld]; expert slots:
                                [n_batch * n_expert_used, ld] */
    float *picked;           /* slot PICKED when there are more rows than one */
    size_t ld[SLOT_COUNT];   /* width, rounded up to an odd number of cache lines */
    float *input_f32;        /* [max(n_batch, n_threads), ld_input] what OP_INPUT prepared; when */
    size_t ld_input;         /* the batch is one row, row ith is thread ith's own copy */
    act_group *input_i8;     /* the same rows as int8 activations, [.., ld_input / 32] */
    float *input_tiles;      /* the same rows in tiles, of batches that products take so */
    size_t ld_pair;          /* the same buffers prepared by OP_EXPERT_INPUT, a row for each pair */
    float *rope_cs;          /* [n_batch, ld_cs] cosines and sines of the tokens' positions */
    size_t ld_cs;            /* values of a head that rotate, where most do */
    float *rope_cs_2;        /* the same by the local table or in the second dimension, or NULL */
    /* experts: pairs (token, one of its experts), n_expert_used for each token */
    int *choice;             /* [n_batch, n_expert_used] the token's experts, best first */
    float *choice_weight;    /* [n_batch, n_expert_used] */
    int *pair_row;           /* [n_batch, n_expert_used] the pair's row in the experts' order */
    int *pair_token;         /* [n_batch * n_expert_used] by row: the pair's token */
    int *expert_row;         /* [n_expert + 1] by expert: its first row */
    void *attend_parts;      /* results of chunks, when is_cut; op_attend.c lays it out */
    thread_parts *parts;     /* [n_threads] */
    parts_left *left;        /* [2, n_threads] of even and odd steps */
    unsigned char *thread_scratch; /* [n_threads, thread_bytes] */
    size_t thread_bytes;

    pace pace[N_PACES];      /* of runs of 1, 2 .. 3, 4 .. 7, ... tokens */
    double ended;            /* when the last run did, s; 0 before the first */
    int64_t n_lost;          /* cpu_preemptions then */

    /* the batch at hand */
    exec_batch batch;
    const int *pick;         /* [n_row of the head] rows of the batch whose logits are wanted */
    int n_used;              /* threads at work */
    bool is_cut;             /* the one token's heads are cut into chunks that threads share */
    int n_row;               /* rows of the phase: tokens in the body, picked ones in the head */
    double *attend_s;        /* what attention takes is added to it; NULL: not timed */
    int step, end_step;      /* the phase's part of the plan */
    atomic_int stop_step;    /* where an interrupted run ends */
    const atomic_bool *interrupt; /* NULL = can't be interrupted */
    bool long_rope;          /* rotate by the model's table for long texts, where it has one */
} exec;

/* Bytes of scratch that running would touch, its threads' stacks excepted. */
bool exec_bytes(const model *m, const exec_params *par, size_t *n_bytes, lory_err *err);

/* kv, with as many layers and heads as the model, stays the caller's and outlives the exec. */
bool exec_open(exec *e, const model *m, kv_cache *kv, const exec_params *par, lory_err *err);
void exec_close(exec *e); /* accepts a zeroed one */

/* Runs the layers on a batch: its keys and values are in the cache afterwards. False, with
 * LORY_E_INTERRUPTED, when *interrupt became true: the cache's new positions are then undefined. */
bool exec_body(exec *e, const exec_batch *b, lory_err *err);

/* The same for one token, and its logits, valid until the next call: one run for both. NULL on
 * failure. */
const float *exec_token(exec *e, const exec_batch *b, lory_err *err);

/* The logits of n (up to n_out) rows of the batch that exec_body ran last, [n, *ld], valid until
 * the next call. */
const float *exec_head(exec *e, const int *rows, int n, size_t *ld);

#endif
