/* batch.h - many sequences over one exec: continuous batching with shared prefixes.
 * Layer: engine. Belongs to one thread at a time; only `interrupt` may be set from elsewhere. All
 * memory is taken by batch_open; adding and stepping allocate nothing.
 *
 * A step evaluates the next token of every sequence that generates, and fills what is left of the
 * batch with prompts, oldest first. A sequence that begins as another did shares that one's pages
 * of the KV cache; while an older sequence is about to evaluate what a younger one could share, the
 * younger waits. The prompts of finished sequences are kept for the same use until their pages are
 * wanted. When pages run out, the youngest sequences give theirs back and are evaluated again
 * later, so the oldest always gets on. None of this changes a bit of the logits. */
#ifndef LORY_ENGINE_BATCH_H
#define LORY_ENGINE_BATCH_H

#include "engine/exec.h"

/* Fills what params leave open and predicts what a batch will take: n_ctx is of one sequence,
 * kv_bytes of all. *n_kv gets the tokens of the KV cache. Errors as session_plan. */
bool batch_plan(const model *m, const lory_batch_params *p, lory_memory_plan *mp, int *n_kv,
                lory_err *err);

typedef enum { SLOT_FREE, SLOT_LIVE, SLOT_KEPT } slot_state;

/* A place for a sequence; the KV cache's sequence has the same number. */
typedef struct {
    slot_state state;
    lory_token *id; /* [n_ctx] the tokens known, of which the KV cache has the first ones */
    int n_id, n_prompt;
    int n_new;      /* tokens in the step that is being made */
    int last_row;   /* of the batch, when n_new > 0 */
    bool is_long;   /* rotated as texts beyond the model's original context are (LongRoPE) */
    uint64_t used;  /* kept: when it was last of use */
} batch_slot;

typedef struct {
    const model *m;
    exec e;
    kv_cache kv;
    int n_ctx, n_parallel, n_slot;
    void *ids; /* lazily committed: the slots' tokens */
    size_t ids_bytes;
    batch_slot *slot; /* [n_slot] */
    int *queue;       /* [n_live] live slots, oldest first */
    int n_live;
    uint64_t clock;   /* of `used` */

    /* the step at hand */
    lory_token *id;  /* [n_batch] */
    int *pos, *seq;  /* [n_batch] */
    int n_tok;
    bool is_long;     /* it takes slots of one rotation only */
    int *ready, *row; /* [n_parallel] slots whose logits are wanted, their rows of the batch */

    lory_batch_stats stats;
    atomic_bool interrupt;
} batch;

bool batch_open(batch *b, const model *m, const lory_batch_params *p, lory_err *err);
void batch_close(batch *b); /* accepts a zeroed one */

/* Starts a sequence and returns its slot. -1: LORY_E_FULL when n_parallel are live or the prompt
 * does not fit n_ctx; LORY_E_ARGUMENT when it is empty or has an id that is no token. */
int batch_add(batch *b, const lory_token *ids, size_t n, lory_err *err);

/* Appends a token to a sequence that has fewer than n_ctx: it will be evaluated. */
void batch_put(batch *b, int slot, lory_token id);
/* The sequence is over; its prompt may serve others. */
void batch_end(batch *b, int slot);

/* Tokens that the KV cache has of a slot. */
int batch_n_seen(const batch *b, int slot);

/* Logits [n_vocab] after the last token of slot[i] are at logits + i * ld. Each slot must get a
 * token or be ended in the call. */
typedef struct {
    const int *slot; /* [n] */
    int n;
    const float *logits;
    size_t ld;
} batch_ready;
typedef bool (*batch_on_ready)(void *user, const batch_ready *ready, lory_err *err);

/* One run of the plan, and calls of on_ready, at most exec's n_out slots at a time. Nothing to do
 * is no error. LORY_E_INTERRUPTED: as before the call. When on_ready fails, so does the step. */
bool batch_step(batch *b, batch_on_ready on_ready, void *user, lory_err *err);

#endif
