/* roles.h - what the tensor of each weight role is called and how it is shaped, and the way back:
 * which roles a tensor's name is of. Names are GGUF's standard ones.
 * Layer: model. Constant data. */
#ifndef LORY_MODEL_ROLES_H
#define LORY_MODEL_ROLES_H

#include "model/hparams.h"
#include "model/recipe.h"

typedef struct {
    uint64_t bits[(W_COUNT + 63) / 64]; /* role r: bit r % 64 of word r / 64 */
} role_set;

static inline bool role_in(role_set set, int role)
{
    return set.bits[role / 64] >> role % 64 & 1;
}

static inline void role_add(role_set *set, int role)
{
    set->bits[role / 64] |= (uint64_t)1 << role % 64;
}

/* Sizes by name, so that the table reads as shapes. */
typedef enum {
    D_ONE, D_EMBD, D_Q, D_K, D_V, D_ATTN, D_HEADS, D_KV_HEADS, D_HEAD, D_FF, D_VOCAB, D_CTX,
    D_HALF_ROT, D_NOPE, D_VALUE, D_Q_LORA, D_KV_LORA, D_KV_A, D_KV_B, D_EXPERTS, D_FF_EXP,
    D_FF_SHARED, D_LAYER_EMBD, D_LAYERS_EMBD, D_STREAMS, D_STREAMS_SQR, D_MORE_STREAMS, D_LAUREL,
    D_CONV, D_TAPS, D_MIX_IN, D_INNER, D_QG, D_VALUE_HEADS, D_BA, D_DELTA_VALUE, D_GROUPS,
    D_GROUP, D_RANK_DECAY, D_RANK_RATE, D_RANK_VALUE, D_RANK_GATE, D_LERPS, D_DELTA_KEY,
    D_CHUNKS, D_FF_CHUNK, D_KEYS, D_RANK_LERP, D_RANKS_LERP,
} role_dim;

typedef struct {
    const char *name; /* a layer's: what follows "blk.N." */
    role_dim rows, k; /* rows D_ONE: a vector [k] */
    role_dim slices;  /* D_EXPERTS: [n_expert, rows, k] */
    bool is_f32;      /* its rows serve as f32, like a vector */
    bool is_turned;   /* and as columns: [k, rows] */
    bool is_bare;     /* the name has no ".weight" behind it */
    bool is_bias;     /* the file has a bias of that name, and no weight */
} role_row;

extern const role_row role_table[W_COUNT];

/* A size in layer il; of those of the whole model il is any. */
int64_t role_size(const hparams *hp, int il, role_dim d);

/* The tensor name of a role, "blk.3.attn_q.weight", into name; returns name. */
const char *role_name(lory_role role, int il, char *name, size_t cap);

/* Tensors that hold the rows of several roles, one role after the other. */
enum { ROLES_MAX_PARTS = 3 };
typedef struct {
    const char *name;
    int n_parts;
    lory_role part[ROLES_MAX_PARTS];
} fused_roles;

/* What a tensor's name says. */
typedef struct {
    gguf_str base;  /* without "blk.N." and ".weight" or ".bias" */
    lory_role role; /* W_NONE: no wanted role has this name */
    int il;         /* -1: not a layer's */
    bool is_bias;
    bool is_ignored; /* old converters wrote such, and nothing reads them */
} tensor_place;

tensor_place roles_place(gguf_str name, role_set wanted);

/* The roles in one that a tensor of that place and number of rows holds, all of them wanted; NULL:
 * it is of one role at most. */
const fused_roles *roles_find_fused(const hparams *hp, const tensor_place *p, int64_t n_rows,
                                    role_set wanted);

/* Whether it is of what chooses the positions that attention sees in texts that are longer than
 * lory runs with such a model. */
bool roles_is_index(const hparams *hp, const tensor_place *p);

/* The roles among `wanted` whose rows a tensor of this name and number of rows holds, one after the
 * other: as a rule one, of "blk.3.attn_qkv.weight" three; 0 when there is none. Their layer in
 * *il. */
int roles_of_tensor(const hparams *hp, role_set wanted, gguf_str name, int64_t n_rows, int *il,
                    lory_role part[ROLES_MAX_PARTS]);

/* Whether a tensor, or bias, is of one of the `wanted` roles, or one that is passed over. hp NULL:
 * in a layer of any number, of any shape. */
bool roles_know(const hparams *hp, role_set wanted, const gguf_tensor *t);

#endif
