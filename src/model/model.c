/* model.c - see model.h. */
#include "model/model.h"
#include "base/err.h"
#include "base/fmath.h"
#include "model/foreign.h"
#include "model/keys.h"
#include <string.h>

const lory_arch *const archs[] = {
    &arch_llama,
    &arch_qwen2,
    &arch_qwen3,
    &arch_qwen2vl,
    &arch_qwen3vl,
    &arch_qwen2moe,
    &arch_qwen3moe,
    &arch_nanbeige,
    &arch_granite,
    &arch_granitemoe,
    &arch_granite_swa,
    &arch_baichuan,
    &arch_bitnet,
    &arch_bitnet_2b4t,
    &arch_bitnet_25,
    &arch_minicpm,
    &arch_deepseek,
    &arch_dots1,
    &arch_ernie4_5,
    &arch_exaone,
    &arch_hunyuan,
    &arch_internlm2,
    &arch_olmoe,
    &arch_qwen,
    &arch_smollm3,
    &arch_xverse,
    &arch_arcee,
    &arch_nemotron,
    &arch_jais2,
    &arch_cohere2,
    &arch_exaone4,
    &arch_glm4moe,
    &arch_seed_oss,
    &arch_codeshell,
    &arch_openelm,
    &arch_deci,
    &arch_grovemoe,
    &arch_dbrx,
    &arch_grok,
    &arch_arctic,
    &arch_plamo,
    &arch_plamo3,
    &arch_chameleon,
    &arch_phi3,
    &arch_chatglm1,
    &arch_chatglm,
    &arch_glm4,
    &arch_gemma,
    &arch_gemma2,
    &arch_gemma3,
    &arch_gemma4,
    &arch_gemma3n,
    &arch_gpt,
    &arch_gptneo,
    &arch_gptj,
    &arch_gpt2,
    &arch_opt,
    &arch_starcoder,
    &arch_starcoder2,
    &arch_gptneox,
    &arch_phi2,
    &arch_bloom,
    &arch_mpt,
    &arch_falcon,
    &arch_stablelm,
    &arch_olmo,
    &arch_olmo2,
    &arch_command_r,
    &arch_gpt_oss,
    &arch_deepseek2,
    &arch_glm_dsa,
    &arch_deepseek32,
    &arch_mistral4,
    &arch_cohere2_moe,
    &arch_cohere2moe,
    &arch_mimo2,
    &arch_exaone_moe,
    &arch_afmoe,
    &arch_muse_glimmer,
    &arch_hy_v3,
    &arch_maincoder,
    &arch_step35,
    &arch_laguna,
    &arch_mellum,
    &arch_llama4,
    &arch_mistral3,
    &arch_qwen3vlmoe,
    &arch_ernie4_5moe,
    &arch_bailingmoe,
    &arch_bailingmoe2,
    &arch_hunyuanmoe,
    &arch_minimaxm2,
    &arch_minimaxm3,
    &arch_phimoe,
    &arch_smallthinker,
    &arch_minicpm3,
    &arch_apertus,
    &arch_orion,
    &arch_refact,
    &arch_jais,
    &arch_plm,
    &arch_pangu,
    &arch_lfm2,
    &arch_lfm2moe,
    &arch_qwen3next,
    &arch_qwen35,
    &arch_qwen35moe,
    &arch_kimi_linear,
    &arch_bailingmoe3,
    &arch_mamba,
    &arch_mamba2,
    &arch_jamba,
    &arch_plamo2,
    &arch_granitehybrid,
    &arch_falcon_h1,
    &arch_rwkv7,
    &arch_nemotron_h,
    &arch_nemotron_h_moe,
    NULL,
};

const lory_arch *model_find_arch(gguf_str name)
{
    for (int i = 0; archs[i]; i++)
        if (gguf_str_is(name, archs[i]->name)) return archs[i];
    return NULL;
}

static bool read_text(model *m, const char *key, char **out, lory_err *err)
{
    gguf_str s = { "", 0 };
    if (!gguf_get_str(&m->file, key, &s, err)) return false;
    *out = arena_strndup(&m->arena, s.s, s.n);
    return *out || err_set(err, LORY_E_MEMORY, "%s: no memory for %s", gguf_path(&m->file), key);
}

/* ---- recipes against the file -------------------------------------------------------------- */

const lory_step *model_block(const model *m)
{
    return m->hp.is_parallel && m->arch->parallel ? m->arch->parallel : m->arch->block;
}

bool model_has_step(const model *m, int il, const lory_step *s)
{
    const hparams *hp = &m->hp;
    const hparams_layer *l = &hp->layer[il < 0 ? 0 : il];
    bool has_experts = hparams_has_experts(hp, il);
    if (s->flags & ATTENDS && l->n_kv_head == 0) return false;
    if (s->flags & KEYLESS && (l->n_head == 0 || l->n_kv_head > 0)) return false;
    if (s->flags & RECURS && l->n_state == 0) return false;
    if (s->flags & FIRST && il != 0) return false;
    if (s->flags & LOOPS
        && (!hp->has_loop_norm || (il + 1) % m->w.n_layer != 0 || il + 1 == hp->n_layer))
        return false;
    if (s->flags & NOT_FIRST && il == 0) return false;
    if (s->flags & FEEDS && l->n_ff == 0) return false;
    if (s->flags & DENSE && has_experts) return false;
    if (s->flags & (MOE | SHARED) && !has_experts) return false;
    if (s->flags & SHARED && hp->n_ff_shexp == 0) return false;
    if ((s->op == OP_ROPE || s->flags & TURNS) && !hparams_rotates(hp, il)) return false;
    if (s->flags & STILL && hparams_rotates(hp, il)) return false;
    if (s->flags & (hp->is_latent ? JOINED : LATENT)) return false;
    if (s->flags & OWN_KV && hp->layer[il].kv_layer != il) return false;
    if (s->flags & LAYER_IN && hp->n_embd_layer == 0) return false;
    if (s->flags & LAST && il != hp->n_layer - 1) return false;
    if (s->flags & WITHOUT && weights_get(&m->w, il, s->role)->data) return false;
    if (s->op == OP_HEAD_NORM && s->role == W_ONES && !hp->has_unit_heads) return false;
    if (s->op == OP_SPARSIFY && !l->is_sparse) return false;
    if (s->op == OP_TEMPERATURE && hp->temp_scale == 0.0f) return false;
    if (s->op == OP_CLAMP && hp->clamp_kqv == 0.0f) return false;
    if (s->op == OP_SCALE && hp->logit_scale == 1.0f) return false;
    if (s->op == OP_SOFT_CAP && (s->dst == RT ? hp->router_cap : hp->logit_cap) == 0.0f)
        return false;
    if (s->op == OP_HIDE && hp->hidden_end == 0) return false;
    return !(s->flags & OPT) || weights_get(&m->w, il, s->role)->data;
}

static bool has_op(const lory_step *s, lory_op op)
{
    while (s->op != OP_END && s->op != op) s++;
    return s->op == op;
}

static bool adds_bias(lory_op op)
{
    return op == OP_MATMUL || op == OP_LAYER_NORM || op == OP_HEAD_LAYER_NORM || op == OP_EXPERTS
           || op == OP_ROUTE || op == OP_DECAY || op == OP_SOFTPLUS || op == OP_BIAS
           || op == OP_CONV || op == OP_SCAN || op == OP_WKV7;
}

static void add_roles(const lory_step *s, role_set *set)
{
    for (; s->op != OP_END; s++)
        if (s->role != W_NONE) role_add(set, s->role);
}

/* What the file may have: what the recipes use, and the factors of rotary positions. */
role_set model_roles(const model *m)
{
    role_set set = { { 0 } };
    add_roles(m->arch->embed, &set);
    add_roles(model_block(m), &set);
    add_roles(m->arch->head, &set);
    if (m->hp.n_rot > 0)
        for (int role = W_ROPE_FREQS; role <= W_ROPE_SHORT; role++) role_add(&set, role);
    return set;
}

lory_op model_op_of(const model *m, lory_role role)
{
    const lory_step *recipes[] = { m->arch->embed, model_block(m), m->arch->head };
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
        for (const lory_step *s = recipes[i]; s->op != OP_END; s++)
            if (s->role == role) return (lory_op)s->op;
    return OP_END;
}

role_set model_products(const model *m)
{
    role_set set = { { 0 } };
    for (int role = 0; role < W_COUNT; role++) {
        lory_op op = model_op_of(m, (lory_role)role);
        if (op == OP_MATMUL || op == OP_EXPERTS || op == OP_EMBED) role_add(&set, role);
    }
    return set;
}

static bool missing(const model *m, int il, lory_role role, lory_err *err)
{
    char name[64];
    return err_set(err, LORY_E_FORMAT, "%s: tensor %s is missing", gguf_path(&m->file),
                   role_name(role, il, name, sizeof name));
}

/* The steps of one recipe must find their weights, and the slots that they read written before. */
static bool check_steps(const model *m, const lory_step *recipe, int il, lory_err *err)
{
    bool written[SLOT_COUNT] = { [X] = recipe != m->arch->embed };
    for (const lory_step *s = recipe; s->op != OP_END; s++) {
        if (!model_has_step(m, il, s)) continue;
        if (s->role != W_NONE && !(s->flags & (BARE | WITHOUT))
            && !weights_has(&m->w, il, s->role))
            return missing(m, il, s->role, err);
        if (s->op != OP_EMBED && !written[s->src]) /* by an optional step, then */
            for (const lory_step *w = recipe; w < s; w++)
                if (w->dst == s->src && w->role != W_NONE) return missing(m, il, w->role, err);
        written[s->dst] = true;
        if (s->op == OP_MLA_KV) written[V] = true;
        if (s->op == OP_SPLIT_HEADS) written[AV] = true;
        if (s->op == OP_SPLIT_INNER) written[MV] = true;
        for (int slot = XR; s->op == OP_TOKEN_MIX && s->dst == XR && slot <= XG; slot++)
            written[slot] = true;
    }
    return true;
}

/* Every weight that layer il has must be of use there, its bias too. */
static bool check_use(const model *m, int il, lory_err *err)
{
    role_set used = { { 0 } }, biased = { { 0 } };
    char name[64];
    for (const lory_step *s = model_block(m); s->op != OP_END; s++) {
        if (s->role == W_NONE || !model_has_step(m, il, s)) continue;
        role_add(&used, s->role);
        if (adds_bias((lory_op)s->op)) role_add(&biased, s->role);
    }
    for (int role = 0; role < W_LAYER_COUNT; role++) {
        const weight *w = weights_get(&m->w, il, (lory_role)role);
        if ((w->data && !role_in(used, role)) || (w->bias && !role_in(biased, role)))
            return err_set(err, LORY_E_UNSUPPORTED,
                           "%s: %s of tensor %s is not part of layer %d as lory knows it",
                           gguf_path(&m->file),
                           w->data && !role_in(used, role) ? "the use" : "the bias",
                           role_name((lory_role)role, il, name, sizeof name), il);
    }
    return true;
}

/* What a layer lacks its recipe must know of. */
static bool check_shape(const model *m, int il, lory_err *err)
{
    const hparams_layer *l = &m->hp.layer[il];
    int lacks = (l->n_kv_head == 0 && l->n_state == 0 ? ATTENDS : 0)
                | (l->n_ff == 0 && !m->hp.is_feedless ? FEEDS : 0);
    for (const lory_step *s = model_block(m); s->op != OP_END; s++) lacks &= ~s->flags;
    return lacks == 0
           || err_set(err, LORY_E_UNSUPPORTED, "%s: layer %d has no %s, which is not known of %s",
                      gguf_path(&m->file), il, lacks & ATTENDS ? "attention" : "feed-forward",
                      m->arch->name);
}

static bool check_recipes(const model *m, lory_err *err)
{
    if (m->hp.clamp_kqv > 0.0f && !has_op(model_block(m), OP_CLAMP))
        return err_set(err, LORY_E_UNSUPPORTED, "%s: %s.attention.clamp_kqv is not known",
                       gguf_path(&m->file), m->arch->name);
    if (m->hp.is_parallel && !m->arch->parallel)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: %s.use_parallel_residual is not known",
                       gguf_path(&m->file), m->arch->name);
    for (int il = 0; il < m->hp.n_layer; il++)
        if (!check_shape(m, il, err) || !check_steps(m, model_block(m), il, err)
            || !check_use(m, il, err))
            return false;
    return check_steps(m, m->arch->embed, 0, err) && check_steps(m, m->arch->head, 0, err);
}

/* ---- tables -------------------------------------------------------------------------------- */

static bool no_memory(const model *m, lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(&m->file));
}

/* The first 2^k heads have the slopes of 2^k heads, the others every second one of 2^(k+1). */
static bool make_slopes(model *m, lory_err *err)
{
    const hparams *hp = &m->hp;
    int n = 1;
    if (hp->max_alibi_bias == 0.0f) return true;
    m->alibi_slope = arena_new(&m->arena, (size_t)hp->n_head, sizeof *m->alibi_slope);
    if (!m->alibi_slope) return no_memory(m, err);
    while (2 * n <= hp->n_head) n *= 2;
    for (int ih = 0; ih < hp->n_head; ih++) {
        double step = ih < n ? ih + 1.0 : (2 * (ih - n) + 1) / 2.0;
        m->alibi_slope[ih] =
            (float)(hp->alibi_scale * math_pow(2.0, -(double)hp->max_alibi_bias * step / n));
    }
    return true;
}

/* Value il of a key that has one for each layer, or one for all. */
static bool read_of_layer(const model *m, const char *key, int il, double *out, lory_err *err)
{
    const gguf_kv *kv = gguf_find(&m->file, key);
    float one = 0.0f;
    if (!kv)
        return err_set(err, LORY_E_FORMAT, "%s: %s is missing", gguf_path(&m->file), key);
    if (kv->type != GGUF_ARR) {
        if (!gguf_get_f32(&m->file, key, &one, err)) return false;
        *out = (double)one;
        return true;
    }
    if (!gguf_get_array(&m->file, key, GGUF_F32, &kv, err)) return false;
    if (kv->n != (uint64_t)m->hp.n_layer)
        return err_set(err, LORY_E_FORMAT, "%s: %s has %llu values for %d layers",
                       gguf_path(&m->file), key, (unsigned long long)kv->n, m->hp.n_layer);
    *out = gguf_float_at(kv, (uint64_t)il);
    return true;
}

static bool make_xielu(model *m, lory_err *err)
{
    if (!has_op(model_block(m), OP_XIELU)) return true;
    m->xielu = arena_new(&m->arena, (size_t)m->hp.n_layer, sizeof *m->xielu);
    if (!m->xielu) return no_memory(m, err);
    for (int il = 0; il < m->hp.n_layer; il++) {
        model_xielu *x = &m->xielu[il];
        if (!read_of_layer(m, "xielu.alpha_n", il, &x->alpha_n, err)
            || !read_of_layer(m, "xielu.alpha_p", il, &x->alpha_p, err)
            || !read_of_layer(m, "xielu.beta", il, &x->beta, err)
            || !read_of_layer(m, "xielu.eps", il, &x->eps, err))
            return false;
        x->alpha_n = x->beta + math_softplus(x->alpha_n);
        x->alpha_p = math_softplus(x->alpha_p);
    }
    return true;
}

static bool new_table(model *m, int n_rot, rope_table *t, lory_err *err)
{
    t->inv_freq = arena_new(&m->arena, (size_t)n_rot / 2, sizeof *t->inv_freq);
    return t->inv_freq || no_memory(m, err);
}

static bool make_rope(model *m, lory_err *err)
{
    const hparams *hp = &m->hp;
    const float *factors = weights_get(&m->w, 0, W_ROPE_FREQS)->data;
    const float *shorter = weights_get(&m->w, 0, W_ROPE_SHORT)->data;
    const float *longer = weights_get(&m->w, 0, W_ROPE_LONG)->data;
    if (hp->n_rot == 0) return true;
    if (!shorter != !longer) return missing(m, 0, shorter ? W_ROPE_LONG : W_ROPE_SHORT, err);
    if (!new_table(m, hp->n_rot, &m->rope, err)) return false;
    rope_frequencies(hp, shorter ? shorter : factors, &m->rope);
    if (longer) {
        if (!new_table(m, hp->n_rot, &m->rope_long, err)) return false;
        rope_frequencies(hp, longer, &m->rope_long);
    }
    if (hp->rope_theta_local > 0.0f) {
        if (!new_table(m, hp->n_rot_local, &m->rope_local, err)) return false;
        rope_local_frequencies(hp, &m->rope_local);
    }
    return true;
}

/* ---- opening ------------------------------------------------------------------------------- */

bool model_read_hparams(model *m, lory_err *err)
{
    m->hp = hparams_default;
    m->hp.rope_neox = m->arch->rope_neox;
    if (m->arch->preset) m->arch->preset(&m->hp);
    if (!hparams_read(&m->hp, &m->file, m->arch->name, err)) return false;
    if (m->arch->adapt && !m->arch->adapt(&m->hp, &m->file, err)) return false;
    if (!has_op(model_block(m), OP_ROPE)) m->hp.n_rot = m->hp.n_rot_local = 0;
    return hparams_settle(&m->hp, &m->file, err) && keys_check(&m->file, m->arch->name, err);
}

static bool read_weights(model *m, lory_err *err)
{
    if (!model_read_hparams(m, err) || !weights_bind(&m->w, &m->file, &m->hp, model_roles(m), err)
        || !check_recipes(m, err))
        return false;
    if (weights_get(&m->w, 0, W_POS_EMBD)->data || m->hp.ctx_is_limit)
        m->n_ctx_max = m->hp.n_ctx_train;
    if (m->has_tokenizer && tokenizer_n_vocab(&m->tok) != (size_t)m->hp.n_vocab)
        return err_set(err, LORY_E_FORMAT,
                       "%s: the tokenizer has %zu tokens, token_embd.weight %d rows",
                       gguf_path(&m->file), tokenizer_n_vocab(&m->tok), m->hp.n_vocab);
    return make_slopes(m, err) && make_xielu(m, err) && make_rope(m, err);
}

static bool read_model(model *m, lory_err *err)
{
    if (!read_text(m, "general.architecture", &m->arch_name, err)
        || !read_text(m, "general.name", &m->name, err))
        return false;
    m->has_tokenizer = gguf_find(&m->file, "tokenizer.ggml.model") != NULL;
    if (m->has_tokenizer && !tokenizer_init(&m->tok, &m->file, err)) return false;
    if (!gguf_join(&m->file, &m->why_not)) return true; /* the first has the vocabulary */
    if (m->file.n_tensors == 0) {
        err_set(&m->why_not, LORY_E_UNSUPPORTED, "%s: has a vocabulary only, no tensors to run",
                gguf_path(&m->file));
        return true;
    }
    gguf_str type = { "", 0 };
    if (gguf_get_str(&m->file, "general.type", &type, NULL) && gguf_str_is(type, "adapter"))
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: is an adapter, not a model (--lora applies it to one)",
                       gguf_path(&m->file));
    m->arch = model_find_arch((gguf_str){ m->arch_name, strlen(m->arch_name) });
    if (m->arch) return read_weights(m, err);
    const char *why = foreign_why(&m->file, m->arch_name);
    err_set(&m->why_not, LORY_E_UNSUPPORTED,
            "%s: architecture \"%s\" is not one that lory runs%s%s", gguf_path(&m->file),
            m->arch_name, *why ? ": " : "", why);
    return true;
}

bool model_open(model *m, const char *path, const lory_model_params *p, lory_err *err)
{
    static const lory_model_params defaults;
    size_t before = mem_live_bytes();
    if (!p) p = &defaults;
    *m = (model){ 0 };
    if (!(p->no_mmap ? gguf_open_copy : gguf_open)(&m->file, path, err)) return false;
    if (!read_model(m, err) || (p->lock && !gguf_lock(&m->file, err))) {
        model_close(m);
        return false;
    }
    size_t after = mem_live_bytes();
    m->table_bytes = after > before ? after - before : 0;
    return true;
}

void model_close(model *m)
{
    weights_free(&m->w);
    if (m->has_tokenizer) tokenizer_free(&m->tok);
    arena_free(&m->arena);
    gguf_close(&m->file);
    *m = (model){ 0 };
}
