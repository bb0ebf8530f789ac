/* mix.c - see mix.h. To add a mix: a name in the enum, its row, its place in the rules. */
#include "gguf/mix.h"
#include "base/err.h"
#include "gguf/retype.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* clang-format off */

/* ---- the mixes ------------------------------------------------------------------------------ */

enum {
    F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0,
    Q2_K, Q2_K_S, Q3_K_S, Q3_K_M, Q3_K_L, Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M, Q6_K,
    IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ2_M, IQ3_XXS, IQ3_XS, IQ3_S, IQ3_M, IQ4_NL, IQ4_XS,
    TQ1_0, TQ2_0, MXFP4, MXFP4_MOE, NVFP4, Q1_0, Q2_0
};

const mix_row mixes[MIX_COUNT] = {
    [F32]       = { "f32",       QT_F32,      0, false },
    [F16]       = { "f16",       QT_F16,      1, false },
    [BF16]      = { "bf16",      QT_BF16,    32, false },
    [Q4_0]      = { "q4_0",      QT_Q4_0,     2, false },
    [Q4_1]      = { "q4_1",      QT_Q4_1,     3, false },
    [Q5_0]      = { "q5_0",      QT_Q5_0,     8, false },
    [Q5_1]      = { "q5_1",      QT_Q5_1,     9, false },
    [Q8_0]      = { "q8_0",      QT_Q8_0,     7, false },
    [Q2_K]      = { "q2_k",      QT_Q2_K,    10, false },
    [Q2_K_S]    = { "q2_k_s",    QT_Q2_K,    21, true  },
    [Q3_K_S]    = { "q3_k_s",    QT_Q3_K,    11, false },
    [Q3_K_M]    = { "q3_k_m",    QT_Q3_K,    12, false },
    [Q3_K_L]    = { "q3_k_l",    QT_Q3_K,    13, false },
    [Q4_K_S]    = { "q4_k_s",    QT_Q4_K,    14, false },
    [Q4_K_M]    = { "q4_k_m",    QT_Q4_K,    15, false },
    [Q5_K_S]    = { "q5_k_s",    QT_Q5_K,    16, false },
    [Q5_K_M]    = { "q5_k_m",    QT_Q5_K,    17, false },
    [Q6_K]      = { "q6_k",      QT_Q6_K,    18, false },
    [IQ1_S]     = { "iq1_s",     QT_IQ1_S,   24, true  },
    [IQ1_M]     = { "iq1_m",     QT_IQ1_M,   31, true  },
    [IQ2_XXS]   = { "iq2_xxs",   QT_IQ2_XXS, 19, true  },
    [IQ2_XS]    = { "iq2_xs",    QT_IQ2_XS,  20, true  },
    [IQ2_S]     = { "iq2_s",     QT_IQ2_XS,  28, true  },
    [IQ2_M]     = { "iq2_m",     QT_IQ2_S,   29, true  },
    [IQ3_XXS]   = { "iq3_xxs",   QT_IQ3_XXS, 23, false },
    [IQ3_XS]    = { "iq3_xs",    QT_IQ3_S,   22, false },
    [IQ3_S]     = { "iq3_s",     QT_IQ3_S,   26, false },
    [IQ3_M]     = { "iq3_m",     QT_IQ3_S,   27, false },
    [IQ4_NL]    = { "iq4_nl",    QT_IQ4_NL,  25, false },
    [IQ4_XS]    = { "iq4_xs",    QT_IQ4_XS,  30, false },
    [TQ1_0]     = { "tq1_0",     QT_TQ1_0,   36, false },
    [TQ2_0]     = { "tq2_0",     QT_TQ2_0,   37, false },
    [MXFP4]     = { "mxfp4",     QT_MXFP4,   38, false },
    [MXFP4_MOE] = { "mxfp4_moe", QT_Q8_0,    38, false },
    [NVFP4]     = { "nvfp4",     QT_NVFP4,   39, false },
    [Q1_0]      = { "q1_0",      QT_Q1_0,    40, false },
    [Q2_0]      = { "q2_0",      QT_Q2_0,    41, false },
};

/* ---- the rules ------------------------------------------------------------------------------ */

/* What a tensor is, by its name. */
typedef enum {
    OUTPUT, EMBED, ATTN_V, ATTN_K, ATTN_Q, FFN_DOWN, ATTN_OUT, ATTN_QKV, FFN_GATE, FFN_UP, EXPERTS,
    OTHER
} tensor_kind;

/* What a rule may ask of the tensor or the model, one bit each. */
enum {
    FIRST_2 = 1 << 0,     /* layers: the first two, */
    FIRST_4 = 1 << 1,     /* the first four, */
    FIRST_8TH = 1 << 2,   /* the first n / 8, */
    FIRST_16TH = 1 << 3,  /* the first n / 16, */
    MIDDLE = 1 << 4,      /* all but the first and last eighth, */
    MORE_BITS = 1 << 5,   /* the first and last eighth and every third between */
    GQA_4 = 1 << 6,       /* four or more heads share keys and values */
    EXPERTS_4 = 1 << 7,   /* four or more experts */
    EXPERTS_8 = 1 << 8,   /* exactly eight */
    FALCON = 1 << 9, NOT_FALCON = 1 << 10,
    WITH_IMP = 1 << 11, NO_IMP = 1 << 12, /* importance */
    ODD_ROW = 1 << 13,    /* the row is no whole number of blocks of the mix's own type */
};

#define M(mix) (UINT64_C(1) << (mix))
#define ANY    (~UINT64_C(0))
#define LOW    (M(IQ1_S) | M(IQ1_M) | M(IQ2_XXS) | M(IQ2_XS) | M(IQ2_S) | M(IQ2_M))
#define BASE   QT_COUNT /* the mix's own type */

/* The first rule that fits decides; none: the mix's own type. */
static const struct {
    uint64_t mixes;
    tensor_kind kind;
    int needs;  /* all of these */
    qtype type;
} rules[] = {
    { ANY,                                  OUTPUT,   FALCON,                  QT_Q8_0 },
    { ANY,                                  OUTPUT,   ODD_ROW,                 QT_Q8_0 },
    { LOW | M(IQ3_XXS),                     OUTPUT,   0,                       QT_Q5_K },
    { M(Q8_0) | M(MXFP4_MOE),               OUTPUT,   0,                       BASE },
    { ANY,                                  OUTPUT,   0,                       QT_Q6_K },

    { M(IQ1_S) | M(IQ1_M) | M(IQ2_XXS) | M(IQ2_XS), EMBED, 0,                  QT_Q2_K },
    { M(IQ2_S) | M(IQ2_M) | M(IQ3_XXS),     EMBED,    0,                       QT_IQ3_S },
    { M(TQ1_0) | M(TQ2_0) | M(Q2_0),        EMBED,    0,                       QT_Q4_K },

    { LOW,                                  ATTN_V,   GQA_4,                   QT_Q4_K },
    { LOW,                                  ATTN_V,   EXPERTS_4,               QT_Q4_K },
    { M(IQ2_S) | M(IQ2_M),                  ATTN_V,   0,                       QT_IQ3_S },
    { LOW,                                  ATTN_V,   0,                       QT_Q2_K },
    { ANY,                                  ATTN_V,   EXPERTS_8,               QT_Q8_0 },
    { M(Q2_K) | M(Q2_K_S) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S), ATTN_V, GQA_4,  QT_Q4_K },
    { M(Q2_K),                              ATTN_V,   0,                       QT_Q3_K },
    { M(IQ3_XXS),                           ATTN_V,   NO_IMP,                  QT_IQ3_S },
    { M(Q3_K_M),                            ATTN_V,   FIRST_2,                 QT_Q5_K },
    { M(IQ3_M) | M(Q3_K_M),                 ATTN_V,   0,                       QT_Q4_K },
    { M(Q3_K_L),                            ATTN_V,   0,                       QT_Q5_K },
    { M(IQ4_NL) | M(IQ4_XS),                ATTN_V,   GQA_4,                   QT_Q5_K },
    { M(Q4_K_M) | M(Q5_K_M),                ATTN_V,   MORE_BITS,               QT_Q6_K },
    { M(Q4_K_S),                            ATTN_V,   FIRST_4,                 QT_Q5_K },

    { LOW,                                  ATTN_K,   EXPERTS_8,               QT_Q4_K },
    { ANY,                                  ATTN_K,   EXPERTS_8,               QT_Q8_0 },
    { M(IQ3_XS),                            ATTN_K,   0,                       QT_IQ3_XXS },
    { M(IQ3_XXS),                           ATTN_K,   0,                       QT_IQ2_S },
    { M(IQ3_XS),                            ATTN_Q,   0,                       QT_IQ3_XXS },
    { M(IQ3_XXS),                           ATTN_Q,   0,                       QT_IQ2_S },

    { M(MXFP4_MOE),                         EXPERTS,  0,                       QT_MXFP4 },

    { M(IQ2_S) | M(IQ2_M),                  FFN_DOWN, FIRST_8TH,               QT_IQ3_S },
    { LOW,                                  FFN_DOWN, FIRST_8TH,               QT_Q2_K },
    { M(Q2_K),                              FFN_DOWN, 0,                       QT_Q3_K },
    { M(Q2_K_S),                            FFN_DOWN, FIRST_8TH,               QT_Q4_K },
    { M(IQ3_XXS),                           FFN_DOWN, NO_IMP | FIRST_8TH,      QT_Q4_K },
    { M(IQ3_XXS),                           FFN_DOWN, NO_IMP,                  QT_Q3_K },
    { M(Q3_K_M),                            FFN_DOWN, FIRST_16TH,              QT_Q5_K },
    { M(Q3_K_M),                            FFN_DOWN, NOT_FALCON,              QT_Q4_K },
    { M(Q3_K_M),                            FFN_DOWN, MORE_BITS,               QT_Q4_K },
    { M(IQ3_M),                             FFN_DOWN, FIRST_8TH,               QT_Q4_K },
    { M(IQ3_M),                             FFN_DOWN, EXPERTS_8 | MORE_BITS,   QT_Q4_K },
    { M(Q3_K_L),                            FFN_DOWN, FALCON,                  QT_Q4_K },
    { M(Q3_K_L),                            FFN_DOWN, 0,                       QT_Q5_K },
    { M(Q4_K_M),                            FFN_DOWN, FALCON | FIRST_16TH,     QT_Q6_K },
    { M(Q4_K_M),                            FFN_DOWN, FALCON | MORE_BITS,      QT_Q5_K },
    { M(Q4_K_M),                            FFN_DOWN, NOT_FALCON | MORE_BITS,  QT_Q6_K },
    { M(IQ4_NL) | M(IQ4_XS),                FFN_DOWN, NO_IMP | FIRST_8TH,      QT_Q5_K },
    { M(Q5_K_M),                            FFN_DOWN, MORE_BITS,               QT_Q6_K },
    { M(Q4_K_S),                            FFN_DOWN, NOT_FALCON | FIRST_8TH,  QT_Q5_K },
    { M(Q4_0),                              FFN_DOWN, WITH_IMP | FIRST_8TH,    QT_Q4_1 },
    { M(Q5_0),                              FFN_DOWN, WITH_IMP | FIRST_8TH,    QT_Q5_1 },

    { LOW,                                  ATTN_OUT, EXPERTS_8,               QT_Q5_K },
    { M(IQ1_S) | M(IQ1_M),                  ATTN_OUT, 0,                       QT_IQ2_XXS },
    { M(IQ2_S) | M(IQ2_M),                  ATTN_OUT, 0,                       QT_IQ3_S },
    { M(Q3_K_L),                            ATTN_OUT, FALCON,                  QT_Q4_K },
    { ANY,                                  ATTN_OUT, FALCON,                  BASE },
    { M(Q2_K) | M(Q3_K_S) | M(Q3_K_M) | M(Q4_K_S) | M(Q4_K_M) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S)
      | M(IQ3_M) | M(IQ4_NL) | M(IQ4_XS),   ATTN_OUT, EXPERTS_8,               QT_Q5_K },
    { ANY,                                  ATTN_OUT, EXPERTS_8,               BASE },
    { M(Q2_K),                              ATTN_OUT, 0,                       QT_Q3_K },
    { M(IQ3_XXS),                           ATTN_OUT, 0,                       QT_IQ3_S },
    { M(Q3_K_M) | M(IQ3_M),                 ATTN_OUT, 0,                       QT_Q4_K },
    { M(Q3_K_L),                            ATTN_OUT, 0,                       QT_Q5_K },

    { M(Q3_K_M) | M(Q3_K_L) | M(IQ3_M),     ATTN_QKV, 0,                       QT_Q4_K },
    { M(Q4_K_M),                            ATTN_QKV, 0,                       QT_Q5_K },
    { M(Q5_K_M),                            ATTN_QKV, 0,                       QT_Q6_K },

    { M(IQ3_XS),                            FFN_GATE, MIDDLE,                  QT_IQ3_XXS },
    { M(IQ3_XS),                            FFN_UP,   MIDDLE,                  QT_IQ3_XXS },
};
enum { N_RULES = sizeof rules / sizeof *rules };

/* What serves instead of a type whose blocks do not fit the row. */
static const qtype instead_of[QT_COUNT] = {
    [QT_Q2_K]     = QT_IQ4_NL,    [QT_Q3_K]     = QT_IQ4_NL,    [QT_Q4_K]     = QT_Q5_0,
    [QT_Q5_K]     = QT_Q5_1,      [QT_Q6_K]     = QT_Q8_0,      [QT_IQ1_S]    = QT_IQ4_NL,
    [QT_IQ1_M]    = QT_IQ4_NL,    [QT_IQ2_XXS]  = QT_IQ4_NL,    [QT_IQ2_XS]   = QT_IQ4_NL,
    [QT_IQ2_S]    = QT_IQ4_NL,    [QT_IQ3_XXS]  = QT_IQ4_NL,    [QT_IQ3_S]    = QT_IQ4_NL,
    [QT_IQ4_XS]   = QT_IQ4_NL,    [QT_TQ1_0]    = QT_Q4_0,      [QT_TQ2_0]    = QT_Q4_0,
    [QT_NVFP4]    = QT_MXFP4,     [QT_Q1_0]     = QT_Q4_0,      [QT_Q2_0]     = QT_Q4_0,
};

static const struct {
    const char *part;
    tensor_kind kind;
} kinds[] = { /* the first part that the name has decides */
    { "attn_v.weight", ATTN_V },             { "attn_k.weight", ATTN_K },
    { "attn_q.weight", ATTN_Q },             { "ffn_down", FFN_DOWN },
    { "attn_output.weight", ATTN_OUT },      { "attn_qkv.weight", ATTN_QKV },
    { "ffn_gate", FFN_GATE },                { "ffn_up", FFN_UP },
};

/* clang-format on */

/* ---- names ---------------------------------------------------------------------------------- */

const mix_row *mix_find(const char *name)
{
    static const char *const alias[][2] = { { "q3_k", "q3_k_m" },
                                            { "q4_k", "q4_k_m" },
                                            { "q5_k", "q5_k_m" } };
    for (int i = 0; i < 3; i++)
        if (strcasecmp(name, alias[i][0]) == 0) name = alias[i][1];
    for (int i = 0; i < MIX_COUNT; i++)
        if (strcasecmp(name, mixes[i].name) == 0) return &mixes[i];
    return NULL;
}

static bool is_quantised(const gguf_tensor *t)
{
    if (!gguf_str_ends(t->name, "weight")) return false;
    if (t->ne[1] * t->ne[2] * t->ne[3] == 1) return false; /* a vector */
    return !retype_is_precise(t->name);
}

/* The N of "blk.N.", at most five digits; else -1. */
static int layer_of(gguf_str name)
{
    static const char begin[] = "blk.";
    size_t at = sizeof begin - 1, first = at;
    int il = 0;
    if (name.n <= at || memcmp(name.s, begin, at) != 0) return -1;
    for (; at < name.n && at < first + 5 && name.s[at] >= '0' && name.s[at] <= '9'; at++)
        il = 10 * il + name.s[at] - '0';
    return at > first && at < name.n && name.s[at] == '.' ? il : -1;
}

/* ---- the model, as the rules see it --------------------------------------------------------- */

typedef struct {
    int n_layer;
    bool has_output; /* a matrix of its own; else the token embedding serves */
    int facts;       /* bits that every tensor has */
} model_facts;

/* A key of the architecture; of an array the first. Absent: stays as it is. */
static bool get_first(const gguf *g, const char *arch, const char *key, uint64_t *value,
                      lory_err *err)
{
    char name[128];
    const gguf_kv *kv;
    snprintf(name, sizeof name, "%s.%s", arch, key);
    kv = gguf_find(g, name);
    if (!kv || kv->type != GGUF_ARR) return gguf_get_uint(g, name, INT32_MAX, value, err);
    if (!gguf_get_array(g, name, GGUF_I32, &kv, err)) return false;
    if (kv->n > 0) *value = (uint64_t)gguf_int_at(kv, 0);
    return true;
}

static bool look_at_model(const gguf *g, bool has_importance, model_facts *f, lory_err *err)
{
    uint64_t n_head = 1, n_kv_head, n_expert = 0;
    gguf_str arch_name = { "", 0 };
    char arch[64];
    *f = (model_facts){ .has_output = gguf_find_tensor(g, "output.weight") != NULL };
    if (!gguf_get_str(g, "general.architecture", &arch_name, err)) return false;
    snprintf(arch, sizeof arch, "%.*s", (int)(arch_name.n < 63 ? arch_name.n : 63), arch_name.s);
    if (!get_first(g, arch, "attention.head_count", &n_head, err)) return false;
    n_kv_head = n_head;
    if (!get_first(g, arch, "attention.head_count_kv", &n_kv_head, err)
        || !get_first(g, arch, "expert_count", &n_expert, err))
        return false;
    for (size_t i = 0; i < g->n_tensors; i++) {
        int il = layer_of(g->tensors[i].name);
        if (il >= f->n_layer) f->n_layer = il + 1;
    }
    f->facts = strcmp(arch, "falcon") == 0 ? FALCON : NOT_FALCON;
    f->facts |= has_importance ? WITH_IMP : NO_IMP;
    if (n_kv_head > 0 && n_head / n_kv_head >= 4) f->facts |= GQA_4;
    if (n_expert >= 4) f->facts |= EXPERTS_4;
    if (n_expert == 8) f->facts |= EXPERTS_8;
    return true;
}

static int layer_facts(int il, int n)
{
    int facts = 0;
    if (il < 0) return 0;
    if (il < 2) facts |= FIRST_2;
    if (il < 4) facts |= FIRST_4;
    if (il < n / 8) facts |= FIRST_8TH;
    if (il < n / 16) facts |= FIRST_16TH;
    if (il >= n / 8 && il < 7 * n / 8) facts |= MIDDLE;
    if (il < n / 8 || il >= 7 * n / 8 || (il - n / 8) % 3 == 2) facts |= MORE_BITS;
    return facts;
}

static tensor_kind kind_of(const gguf_tensor *t, const model_facts *f, const mix_row *mix)
{
    if (gguf_str_is(t->name, "output.weight")) return OUTPUT;
    if (gguf_str_is(t->name, "token_embd.weight")
        || gguf_str_is(t->name, "per_layer_token_embd.weight"))
        return f->has_output ? EMBED : OUTPUT;
    if (mix == &mixes[MXFP4_MOE] && t->ne[2] > 1) return EXPERTS;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (gguf_str_has(t->name, kinds[i].part)) return kinds[i].kind;
    return OTHER;
}

static qtype apply_rules(const mix_row *mix, const gguf_tensor *t, const model_facts *f)
{
    uint64_t bit = M(mix - mixes);
    tensor_kind kind = kind_of(t, f, mix);
    int facts = f->facts | layer_facts(layer_of(t->name), f->n_layer), i = 0;
    if (t->ne[0] % qtypes[mix->type].block_elems) facts |= ODD_ROW;
    while (i < N_RULES
           && (!(rules[i].mixes & bit) || rules[i].kind != kind
               || (rules[i].needs & facts) != rules[i].needs))
        i++;
    qtype type = i < N_RULES && rules[i].type != BASE ? rules[i].type : mix->type;
    /* In models of 80 layers (LLaMA 2 70B) attn_v is an eighth of attn_q: more bits cost little. */
    bool is_cheap = kind == ATTN_V && f->n_layer == 80 && !(bit & LOW);
    return is_cheap && (type == QT_Q3_K || type == QT_Q4_K) ? QT_Q5_K : type;
}

static qtype fit_row(qtype type, int64_t n)
{
    if (n % qtypes[type].block_elems && instead_of[type]) type = instead_of[type];
    return n % qtypes[type].block_elems ? QT_F16 : type;
}

bool mix_choose(const mix_params *p, const gguf *g, qtype *types, lory_err *err)
{
    model_facts f;
    if (!look_at_model(g, p->has_importance, &f, err)) return false;
    bool has_rules = !p->is_pure && qtypes[p->mix->type].n_sub > 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        types[i] = t->type;
        if (!is_quantised(t)) continue;
        types[i] = fit_row(has_rules ? apply_rules(p->mix, t, &f) : p->mix->type, t->ne[0]);
    }
    return true;
}
