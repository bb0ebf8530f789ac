/* family_extra.c - see family.h: the tensors that are worked out from config.json: by what the
 * frequencies of RoPE are divided. */
#include "base/fmath.h"
#include "convert/families.h"
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

const char *family_extra(const hf_family *f, config *c, const hf_shape *s, int i, float *out,
                         int cap, int *n)
{
    config rope = keys_rope_part(c);
    const char *name = NULL;
    if (i == 0 && strcmp(f->arch, "gemma4") == 0) {
        name = "rope_freqs.weight";
        *n = keys_spread_factors(c, out, cap);
    } else if (rope.root && i == 0 && keys_rope_is(&rope, "llama3")) {
        name = "rope_freqs.weight";
        *n = llama3_factors(c, &rope, keys_n_rot(c, s), out, cap);
    } else if (rope.root && i < 2 && keys_has_two_tables(f->arch) && keys_is_longrope(&rope)) {
        name = i == 0 ? "rope_factors_long.weight" : "rope_factors_short.weight";
        *n = list_factors(c, &rope, i == 0 ? "long_factor" : "short_factor", out, cap);
    }
    keys_join(c, &rope);
    return c->first.code == LORY_OK ? name : NULL;
}
