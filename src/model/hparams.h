/* hparams.h - the hyper-parameters of a model, read from GGUF keys and checked once.
 * Layer: model. Plain data; immutable after hparams_read. */
#ifndef LORY_MODEL_HPARAMS_H
#define LORY_MODEL_HPARAMS_H

#include "gguf/gguf.h"

typedef enum { ROPE_SCALE_NONE, ROPE_SCALE_LINEAR, ROPE_SCALE_YARN } rope_scaling;

typedef enum { /* how a router's output becomes weights; numbers of expert_gating_func */
    GATING_SOFTMAX = 1,
    GATING_SIGMOID = 2,
    GATING_SOFTMAX_CHOSEN = 3, /* softmax over the chosen experts only */
    GATING_SPARSE_MIXER, /* no number: for each choice softmax over those that come near it, of the
                            experts that are left; Liu et al. 2023, arXiv:2310.00811 */
} expert_gating;

enum { HPARAMS_MAX_LAYER = 1024, HPARAMS_MAX_STREAM = 8 };

/* What may differ from layer to layer. */
typedef struct {
    int n_head, n_kv_head; /* no heads: no attention; none of keys: one product in its place */
    int head_dim, value_dim;  /* of a key and a query; of a value */
    int kv_dim, kv_value_dim; /* of a cached key; of what attention makes of a head's values */
    int n_ff;                 /* 0: no feed-forward network */
    float clip, clip_shared;  /* of the gates of experts and of others; 0 = none */
    bool is_dense;            /* it has no experts, whatever others have */
    bool is_sparse;           /* gates are cut off: */
    float cut;                /* so many deviations above their mean */
    int n_state;  /* floats of the state of a recurrent layer; else 0 */
    int kv_layer; /* whose keys and values it attends to: its own number, or an earlier layer's */
} hparams_layer;
enum { HPARAMS_NO = -1 }; /* in a layer: none, until hparams_settle makes it 0 */

typedef struct {
    int n_vocab;      /* tokens: rows of token_embd.weight */
    int n_ctx_train;  /* tokens: ARCH.context_length */
    bool ctx_is_limit; /* beyond n_ctx_train the model would compute something else */
    int n_embd;       /* ARCH.embedding_length */
    int n_layer;      /* ARCH.block_count */
    int n_loop;       /* how often the file's layers are gone through: n_layer has all times */
    bool has_loop_norm; /* and normed as before the output in between */
    int n_layer_more; /* layers behind those, which predict further tokens: not used */
    int n_embd_layer; /* ARCH.embedding_length_per_layer_input: of LE in one layer; 0 = none */
    int n_stream;     /* of n_embd each, X the first: ARCH.altup.num_inputs; else 0 */
    int laurel_rank;  /* of what goes round a layer; 0 = nothing does */
    bool is_headless; /* for presets: no layer attends, whatever keys of attention say */
    bool is_feedless; /* likewise: no layer has a feed-forward network */
    int n_head;       /* ARCH.attention.head_count */
    int n_kv_head;    /* ARCH.attention.head_count_kv, else n_head */
    int head_dim;     /* ARCH.attention.key_length, else n_embd / n_head */
    int value_dim;    /* ARCH.attention.value_length, else head_dim */
    int n_ff;         /* ARCH.feed_forward_length */
    int n_rot;        /* ARCH.rope.dimension_count, else head_dim: rotated values of a head */
    int n_rot_local;  /* ARCH.rope.dimension_count_swa: of layers with a window; else n_rot */
    /* Where layers differ, what is above is the most of any. For families: 0 = as above, until
     * hparams_settle. */
    hparams_layer layer[HPARAMS_MAX_LAYER];
    float norm_eps;   /* ARCH.attention.layer_norm_rms_epsilon or .layer_norm_epsilon */
    float norm_eps_post; /* of norms behind sub-layers, or of what scans read; 0 = as of others */
    bool is_parallel; /* ARCH.use_parallel_residual: attention and feed-forward side by side */

    /* Layers from this one on keep no keys and values, but attend to those of the last one before
     * it that has a window, or none, as they do; 0 = all keep theirs. */
    int n_kv_layer; /* ARCH.block_count - .attention.shared_kv_layers */

    /* scales and bounds; 1 and 0 where there are none */
    float embd_scale;     /* ARCH.embedding_scale */
    float residual_scale; /* ARCH.residual_scale */
    float logit_scale;    /* ARCH.logit_scale */
    float logit_cap;      /* ARCH.final_logit_softcapping */
    float router_cap;     /* of OP_SOFT_CAP on the router's output */
    int hidden_first, hidden_end; /* tokens that OP_HIDE hides: ids from .. up to .. */
    float attn_scale;     /* of q.k: ARCH.attention.scale, else 1 / sqrt(head_dim) */
    float attn_cap;       /* ARCH.attn_logit_softcapping */
    float clamp_kqv;      /* ARCH.attention.clamp_kqv */
    float value_scale;    /* of what attention makes: ARCH.attention.value_scale */
    bool gates_by_softplus; /* OP_GATE_HEADS */
    float restart_scale;  /* of OP_RESTART */
    int n_restart_step;   /* it scales X after layers n - 1, 2n - 1, ..; 0 = after none */
    float max_alibi_bias; /* ARCH.attention.max_alibi_bias */
    float alibi_scale;    /* multiplies the slopes */
    float temp_scale, temp_offset; /* of OP_TEMPERATURE; scale 0 = none */
    int temp_length;               /* tokens */
    bool has_unit_heads; /* heads of Q and K are normed, without a weight, after they are rotated */

    /* A query sees `window` positions, its own included; 0 = all. In layers of full_map it sees
     * all: ARCH.attention.sliding_window, .sliding_window_pattern. Or the text is cut into chunks
     * of so many positions, and a query sees those of its chunk up to its own. */
    int window;
    bool window_is_chunk;
    uint64_t full_map[HPARAMS_MAX_LAYER / 64]; /* bit il */
    uint64_t nope_map[HPARAMS_MAX_LAYER / 64]; /* bit il: the layer does not rotate */

    /* Tokens before the first prefix_end_id see each other; those from it on are at the position of
     * the first gmask_id (else mask_id) and count 1, 2, ... in the second dimension. */
    bool has_prefix;
    int prefix_end_id, gmask_id, mask_id;

    /* experts: ARCH.expert_*; n_expert 0 = none */
    int n_expert, n_expert_used, n_expert_shared;
    int n_ff_exp, n_ff_shexp; /* of one expert; of all shared ones together */
    int n_dense_lead;         /* first layers without experts: ARCH.leading_dense_block_count */
    int n_moe_step; /* layers n - 1, 2n - 1, .. have experts: ARCH.interleave_moe_layer_step */
    int n_expert_group, n_group_used;
    expert_gating expert_gating;
    bool expert_weights_norm; /* the chosen weights are divided by their sum */
    float expert_weights_scale;
    float router_scale; /* of the router's output */
    int n_chunk, n_ff_chunk; /* groups of experts that have one more network together; 0: none */

    /* multi-head latent attention; 0 = no latent: ARCH.attention.q_lora_rank, .kv_lora_rank */
    int q_lora_rank, kv_lora_rank;
    /* Over latents: one head of keys, latent and rotary key, whose first values are the values. */
    bool is_latent;
    int kv_dim, kv_value_dim; /* greatest of the layers; of a family that has latents: all */

    /* recurrent layers; 0: there are none */
    int n_conv, n_tap;     /* channels of their causal convolution, its length */
    int n_mix_in, n_inner; /* what is made of H for them; what they make of that */
    int conv_at, gate_at;  /* where MI has the channels of these, and the gates of what they make */
    /* The delta rule: heads of keys and of values, lengths of each. A head of values has the keys
     * of that number modulo theirs, or of its group: is_grouped, and then MB has beta and alpha of
     * all heads of each group. A selective scan: groups, heads, length of a state and of a head;
     * what the groups have, B and C, is like keys and queries. */
    int n_key_head, n_value_head, delta_key_dim, delta_value_dim;
    /* Products of low rank, which make how much channels forget, learn, take of the first layer's
     * values, and let pass. */
    int rank_decay, rank_rate, rank_value, rank_gate;
    int n_shift;   /* RWKV: inputs of a layer that are mixed with those of the token before */
    int n_lerp;    /* in how many ways those of its states are */
    int rank_lerp; /* of the product that says by how much; 0 = constants alone do */
    bool is_grouped;
    float kda_bound; /* OP_KDA: the least of a channel's logarithm, by a sigmoid; 0 = none */
    bool has_unit_steps; /* what a scan reads, B, C and time steps, is normed without weights */

    /* ARCH.rope.freq_base and ARCH.rope.scaling.*; YaRN: Peng et al. 2023, arXiv:2309.00071 */
    rope_scaling rope_scaling;
    bool rope_neox; /* the recipe's, if its family does not say otherwise */
    float rope_theta;
    float rope_theta_local; /* of layers with a window, which are not scaled; 0 = as the others */
    float rope_factor;      /* how many times longer than the original context */
    int rope_n_ctx_orig;    /* tokens */
    float rope_attn_factor; /* multiplies the magnitude; 1 by default */
    float yarn_beta_fast, yarn_beta_slow; /* rotations where the ramp ends and begins */
    float yarn_log_mul;     /* attention grows by (1 + this * ln factor)^2 */
    bool rope_2d;           /* a head is two stretches of n_rot, one for each dimension */
    bool rope_half;         /* the frequencies are rounded to 16 bits */
    bool yarn_exact;        /* the ramp's ends are not rounded to whole indices */
} hparams;

/* The values of keys that files may leave out, before a family's preset. */
extern const hparams hparams_default;

/* Reads the keys of architecture `arch` (their prefix) in a file that has tensors; *hp holds the
 * values of absent keys. On failure err names file and key: LORY_E_FORMAT (missing, wrong kind, out
 * of range, inconsistent) or LORY_E_UNSUPPORTED (values that differ from layer to layer where they
 * may not, unknown kinds of rope scaling or gating). */
bool hparams_read(hparams *hp, const gguf *g, const char *arch, lory_err *err);

/* ---- for a family's adapt, after that (hparams.c) -------------------------------------------- */

/* The heads and lengths of recurrent layers, from ARCH.ssm.*, which there must be. */
bool hparams_read_heads_of_states(hparams *hp, const gguf *g, const char *arch, lory_err *err);
/* The same where each channel has a state of its own. */
bool hparams_read_channels_of_states(hparams *hp, const gguf *g, const char *arch, lory_err *err);
/* n_tap, from a key that there must be. */
bool hparams_read_taps(hparams *hp, const gguf *g, const char *key, lory_err *err);
/* Each layer's limit of gates, of experts or of others, where the key is there. */
bool hparams_read_clips(hparams *hp, const gguf *g, const char *key, bool is_shared, lory_err *err);
/* Attention is full as long as a text has no more than `most` positions, and then sees but a choice
 * of them, which lory does not make. */
void hparams_limit_context(hparams *hp, int most);
/* Files that have keys' and values' products by head attend over latents. */
void hparams_use_latents(hparams *hp, const gguf *g);
/* The layers that a key counts, at the end, predict further tokens only. */
bool hparams_leave_predictors(hparams *hp, const gguf *g, const char *key, lory_err *err);

/* ---- what layers have (hparams_layers.c) ----------------------------------------------------- */

/* For presets: layers first, first + period, ... have no window. */
void hparams_set_full(hparams *hp, int first, int period);
void hparams_set_nope(hparams *hp, int first, int period); /* likewise: no rotation */
void hparams_set_full_layer(hparams *hp, int il, bool is_full); /* one of them: no window */
/* For adapt: layers without a window don't rotate, if there is a window. */
void hparams_nope_if_full(hparams *hp);
void hparams_set_rotating(hparams *hp, int il); /* after that: this one does */
/* For adapt: layer il is recurrent, with a state of n floats. */
void hparams_set_recurrent(hparams *hp, int il, int n);

/* Once all is read: fills in the layers, and the most of any. LORY_E_FORMAT: heads that do not go
 * into groups; LORY_E_UNSUPPORTED: latent attention whose heads differ; values longer than keys;
 * layers that attend to keys and values of another shape than theirs. */
bool hparams_settle(hparams *hp, const gguf *g, lory_err *err);

/* Of layer il. */
bool hparams_has_experts(const hparams *hp, int il);
bool hparams_rotates(const hparams *hp, int il);
int hparams_window(const hparams *hp, int il); /* 0 = none */
/* The first position that a query at pos sees in a layer of that window. */
int hparams_first_seen(const hparams *hp, int window, int pos);

#endif
