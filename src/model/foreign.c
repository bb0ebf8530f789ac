/* foreign.c - see foreign.h. By name where no key tells; else by what there is, so of models to
 * come as well. */
#include "model/foreign.h"
#include <string.h>

static bool begins_with(gguf_str s, const char *start)
{
    size_t n = strlen(start);
    return s.n >= n && memcmp(s.s, start, n) == 0;
}

/* Whether a key is "ARCH." and then begins like that. */
static bool has_key(const gguf *g, const char *arch, const char *start)
{
    size_t n = strlen(arch);
    for (size_t i = 0; i < g->n_kv; i++) {
        gguf_str key = g->kv[i].key;
        if (!begins_with(key, arch) || key.n <= n + 1 || key.s[n] != '.') continue;
        if (begins_with((gguf_str){ key.s + n + 1, key.n - n - 1 }, start)) return true;
    }
    return false;
}

static bool has_tensor(const gguf *g, const char *start)
{
    for (size_t i = 0; i < g->n_tensors; i++)
        if (begins_with(g->tensors[i].name, start)) return true;
    return false;
}

static bool sees_ahead(const gguf *g, const char *arch)
{
    char key[128];
    bool is_causal = true;
    if (strlen(arch) > 100) return false;
    strcat(strcpy(key, arch), ".attention.causal");
    return gguf_get_bool(g, key, &is_causal, NULL) && !is_causal;
}

/* What no key or tensor tells. Names: llama.cpp's, separated by blanks. */
static const struct {
    const char *archs, *why;
} by_name[] = {
    { "dream llada llada-moe rnd1 diffusion-gemma",
      "it fills in the blanks of a text (diffusion), and does not continue it" },
    { "eagle3 dflash dflash-draft gemma4-assistant gemma4_mtp",
      "it drafts for another model, whose layers it needs" },
    { "clip", "it is the part of a model that sees or hears, beside the file that has its text" },
    { "cogvlm deepseek2-ocr hunyuan_vl paddleocr", "it is made to read images" },
    { "deepseek4 openpangu", "its layers mix several residual streams, and more than lory knows" },
};

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; n && (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) return true;
    return false;
}

const char *foreign_why(const gguf *g, const char *arch)
{
    for (size_t i = 0; i < sizeof by_name / sizeof by_name[0]; i++)
        if (has_word(by_name[i].archs, arch)) return by_name[i].why;
    for (size_t i = 0; i < g->n_kv; i++)
        if (begins_with(g->kv[i].key, "diffusion.")) return by_name[0].why;
    static const char *const recurrent[] = { "ssm.", "wkv.", "kda.", "shortconv." };
    for (size_t i = 0; i < sizeof recurrent / sizeof recurrent[0]; i++)
        if (has_key(g, arch, recurrent[i])) return "it has recurrent layers";
    if (has_tensor(g, "enc.") && has_tensor(g, "dec."))
        return "it has an encoder beside its decoder";
    if (has_key(g, arch, "posnet.") || has_key(g, arch, "convnext."))
        return "it makes sound, not text";
    if (has_tensor(g, "enc.") || has_key(g, arch, "pooling_type") || sees_ahead(g, arch))
        return "it is an encoder, which reads text and does not continue it";
    return "";
}
