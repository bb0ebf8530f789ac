/* vocab_tokens.c - see vocab_tokens.h. */
#include "convert/vocab_tokens.h"
#include "base/err.h"
#include <string.h>

bool hf_vocab_no_memory(const hf_vocab *v, lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "out of memory for a vocabulary of %zu tokens", v->n);
}

bool hf_vocab_set(hf_vocab *v, int64_t id, gguf_str text, token_type type, float score,
                  lory_err *err)
{
    if (id < 0 || (uint64_t)id >= v->n) {
        v->n_dropped++;
        return true;
    }
    v->texts[id] = (gguf_str){ arena_strndup(&v->arena, text.s, text.n), text.n };
    v->types[id] = (int32_t)type;
    v->scores[id] = score;
    return v->texts[id].s || hf_vocab_no_memory(v, err);
}

bool hf_vocab_map(hf_vocab *v, const json *map, const char *path, lory_err *err)
{
    int64_t id;
    if (!map || map->type != JSON_OBJECT)
        return err_set(err, LORY_E_FORMAT, "%s: the model has no vocab", path);
    for (const json *j = map->first; j; j = j->next) {
        if (!json_get_int(j, &id) || id < 0)
            return err_set(err, LORY_E_FORMAT, "%s: token '%.40s' has no id", path, j->key);
        if (!hf_vocab_set(v, id, (gguf_str){ j->key, j->n_key }, TOKEN_NORMAL, 0.0f, err))
            return false;
    }
    return true;
}

static bool is_between(gguf_str s, const char *begin, const char *end)
{
    size_t n = strlen(begin), m = strlen(end);
    return s.n >= n + m && memcmp(s.s, begin, n) == 0 && memcmp(s.s + s.n - m, end, m) == 0;
}

/* Some folders do not say "special" of tokens that are. */
static bool looks_special(gguf_str s)
{
    return gguf_str_is(s, "<pad>") || gguf_str_is(s, "<mask>") || gguf_str_is(s, "<2mass>")
           || gguf_str_is(s, "[@BOS@]") || is_between(s, "<|", "|>")
           || is_between(s, "<\xef\xbd\x9c", "\xef\xbd\x9c>") || is_between(s, "<unused", ">");
}

bool hf_vocab_add(hf_vocab *v, int64_t id, gguf_str text, bool is_special, lory_err *err)
{
    bool is_control = is_special || looks_special(text);
    bool is_unk = id >= 0 && (uint64_t)id < v->n && v->types[id] == TOKEN_UNKNOWN;
    return hf_vocab_set(v, id, text,
                        is_unk       ? TOKEN_UNKNOWN
                        : is_control ? TOKEN_CONTROL
                                     : TOKEN_USER_DEFINED,
                        -1000.0f, err);
}

void hf_vocab_count_spaced(hf_vocab *v, const json *token)
{
    static const char *const keys[] = { "lstrip", "rstrip", "single_word" };
    bool is_spaced = false;
    for (int i = 0; i < 3 && !is_spaced; i++) json_get_bool(json_get(token, keys[i]), &is_spaced);
    v->n_spaced += is_spaced;
}

void hf_vocab_free(hf_vocab *v)
{
    arena_free(&v->arena);
    *v = (hf_vocab){ 0 };
}
