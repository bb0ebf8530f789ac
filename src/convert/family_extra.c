/* family_extra.c - see family.h: the tensors that are worked out from config.json: by what the
 * frequencies of RoPE are divided. */
#include "base/fmath.h"
#include "convert/families.h"
#include <stdio.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* LLaMA 3's: what each frequency is divided by. In floats, as the files of others have it. */
static int llama3_factors(config *c, config *rope, int64_t n_rot, float *out, int cap)
{
    float factor = (float)config_num(rope, "factor", 8.0);
    float low = (float)config_num(rope, "low_freq_factor", 1.0);
    float high = (float)config_num(rope, "high_freq_factor", 4.0);
    float n_ctx = (float)config_num(rope, "original_max_position_embeddings", 8192.0);
    double theta = keys_rope_theta(c, 10000.0);
    int n = n_rot / 2 <= cap ? (int)(n_rot / 2) : 0;
    if (n == 0 || !(high >= low) || !(low > 0.0f)) /* Llama 4 has nothing between them */
        config_wrong(rope, LORY_E_FORMAT, "config.json has a rope_scaling that makes no sense");
    for (int i = 0; i < n; i++) {
        float freq = 1.0f / (float)math_pow(theta, (double)((float)(2 * i) / (float)n_rot));
        float wave = (float)(2.0 * PI) / freq;
        float smooth = (n_ctx / wave - low) / (high - low);
        out[i] = wave < n_ctx / high  ? 1.0f
                 : wave > n_ctx / low ? factor
                                      : 1.0f / ((1.0f - smooth) / factor + smooth);
    }
    return n;
}

static int list_factors(config *c, config *rope, const char *name, float *out, int cap)
{
    const json *list = config_find(rope, name);
    int n = 0;
    if (!list || list->type != JSON_ARRAY || list->n > (size_t)cap || list->n == 0) {
        config_wrong(c, LORY_E_FORMAT, "config.json has no list \"%s\" in rope_scaling", name);
        return 0;
    }
    for (const json *j = list->first; j; j = j->next) out[n++] = (float)j->num;
    return n;
}

static void name_extra(hf_extra *e, const char *name)
{
    snprintf(e->name, sizeof e->name, "%s", name);
}

/* Muse Glimmer norms the heads of Q and K without a weight, and multiplies those of Q. */
static bool make_head_norm(config *c, const hf_shape *s, int i, hf_extra *e)
{
    float scale = i % 2 ? 1.0f : (float)config_num(c, "qk_scale_factor", 3.87);
    if (i >= 2 * s->n_layer) return false;
    snprintf(e->name, sizeof e->name, "blk.%d.attn_%c_norm.weight", i / 2, i % 2 ? 'k' : 'q');
    e->n = (int)keys_head_dim(c, s);
    if (e->n < 1 || e->n > e->cap) {
        config_wrong(c, LORY_E_FORMAT, "config.json has a head_dim that makes no sense");
        return false;
    }
    for (int k = 0; k < e->n; k++) e->values[k] = scale;
    return true;
}

bool family_extra(const hf_family *f, config *c, const hf_shape *s, int i, hf_extra *e)
{
    config rope = keys_rope_part(c);
    bool is_there = true;
    if (strcmp(f->arch, "muse-glimmer") == 0) {
        is_there = make_head_norm(c, s, i, e);
    } else if (i == 0 && strcmp(f->arch, "gemma4") == 0) {
        name_extra(e, "rope_freqs.weight");
        e->n = keys_spread_factors(c, e->values, e->cap);
    } else if (rope.root && i == 0 && keys_rope_is(&rope, "llama3")) {
        name_extra(e, "rope_freqs.weight");
        e->n = llama3_factors(c, &rope, keys_n_rot(c, s), e->values, e->cap);
    } else if (rope.root && i < 2 && keys_has_two_tables(f->arch) && keys_is_longrope(&rope)) {
        name_extra(e, i == 0 ? "rope_factors_long.weight" : "rope_factors_short.weight");
        e->n = list_factors(c, &rope, i == 0 ? "long_factor" : "short_factor", e->values, e->cap);
    } else {
        is_there = false;
    }
    keys_join(c, &rope);
    return is_there && c->first.code == LORY_OK;
}
