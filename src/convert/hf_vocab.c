/* hf_vocab.c - see hf_vocab.h: finding the form, special ids, the keys. */
#include "convert/hf_vocab.h"
#include "base/err.h"
#include "base/mem.h"
#include "convert/vocab_forms.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *key; /* as in "bos_token", and in GGUF */
} ids[HF_ID_COUNT] = {
    [HF_BOS] = { "bos", "bos_token_id" },     [HF_EOS] = { "eos", "eos_token_id" },
    [HF_UNK] = { "unk", "unknown_token_id" }, [HF_SEP] = { "sep", "seperator_token_id" },
    [HF_PAD] = { "pad", "padding_token_id" }, [HF_CLS] = { "cls", "cls_token_id" },
    [HF_MASK] = { "mask", "mask_token_id" },  [HF_EOT] = { "eot", "eot_token_id" },
    [HF_EOM] = { "eom", "eom_token_id" },
};

/* ---- special ids ---------------------------------------------------------------------------- */

static int32_t id_of(const hf_vocab *v, gguf_str text)
{
    int32_t found = HF_UNSAID; /* an added token before others of the same text */
    for (size_t i = 0; i < v->n; i++) {
        if (v->texts[i].n != text.n || memcmp(v->texts[i].s, text.s, text.n) != 0) continue;
        if (v->types[i] != TOKEN_NORMAL && v->types[i] != TOKEN_UNUSED) return (int32_t)i;
        if (found == HF_UNSAID) found = (int32_t)i;
    }
    return found;
}

/* "<s>" or {"content": "<s>"}. */
static bool token_text(const json *j, gguf_str *text)
{
    if (j && j->type == JSON_OBJECT) j = json_get(j, "content");
    return json_get_str(j, &text->s, &text->n) && text->n > 0;
}

static void take_id(hf_vocab *v, int which, int64_t id)
{
    if (v->ids[which] == HF_UNSAID && id >= 0 && (uint64_t)id < v->n) v->ids[which] = (int32_t)id;
}

/* tokenizer_config.json names texts. */
static void take_texts(hf_vocab *v, const json *config)
{
    char key[32];
    gguf_str text;
    for (int i = 0; i < HF_EOT; i++) {
        snprintf(key, sizeof key, "%s_token", ids[i].name);
        if (!token_text(json_get(config, key), &text)) continue;
        take_id(v, i, id_of(v, text));
    }
}

/* config.json and generation_config.json have ids; of a list of ends the first is the end and the
 * others end a turn and a message. */
static void take_ids(hf_vocab *v, const json *config)
{
    char key[32];
    int64_t id;
    for (int i = 0; i < HF_EOT; i++) {
        snprintf(key, sizeof key, "%s_token_id", ids[i].name);
        const json *j = json_get(config, key);
        if (json_get_int(j, &id)) take_id(v, i, id);
        if (i != HF_EOS || !j || j->type != JSON_ARRAY) continue;
        for (j = j->first; j; j = j->next) {
            if (!json_get_int(j, &id)) continue;
            take_id(v, HF_EOS, id);
            if (id != v->ids[HF_EOS])
                take_id(v, v->ids[HF_EOT] == HF_UNSAID || v->ids[HF_EOT] == id ? HF_EOT : HF_EOM,
                        id);
        }
    }
}

static void take_bool(int *value, const json *config, const char *key)
{
    bool yes;
    if (json_get_bool(json_get(config, key), &yes)) *value = yes;
}

/* What a tokenizer.json puts around a text. Its own token is the one that counts; one behind that
 * is not the end is a separator. Of several on a side, for which GGUF has no room, none is put:
 * half of them is what no text began with. */
static void take_around(hf_vocab *v)
{
    if (!v->has_around) return;
    int64_t id = v->behind.id;
    v->add_bos = v->before.n == 1;
    v->add_eos = v->behind.n == 1;
    if (v->before.n == 1 && v->before.id != HF_UNSAID) {
        v->ids[HF_BOS] = HF_UNSAID;
        take_id(v, HF_BOS, v->before.id);
    }
    if (v->behind.n != 1 || id == HF_UNSAID) return;
    take_id(v, HF_EOS, id);
    if (v->ids[HF_EOS] == id) return;
    v->ids[HF_SEP] = HF_UNSAID;
    take_id(v, HF_SEP, id);
    v->add_eos = 0;
    v->add_sep = 1;
}

/* A class that puts nothing around a text by itself; transformers 5 has another name for it. */
static bool adds_nothing(const json *config)
{
    const json *name = json_get(config, "tokenizer_class");
    return json_str_is(name, "PreTrainedTokenizerFast") || json_str_is(name, "TokenizersBackend");
}

/* What nobody has said is left to the defaults of the kind of vocabulary. */
static void take_config(hf_vocab *v, const hf_folder *f)
{
    const json *t = f->tok_config.root;
    take_texts(v, t);
    take_ids(v, f->config.root);
    take_ids(v, f->generation.root);
    take_around(v);
    if (v->is_json && !v->has_around && adds_nothing(t)) v->add_bos = v->add_eos = 0;
    take_bool(&v->add_bos, t, "add_bos_token");
    take_bool(&v->add_eos, t, "add_eos_token");
    take_bool(&v->add_space_prefix, t, "add_prefix_space");
}

/* ---- added tokens beside the vocabulary ------------------------------------------------------ */

/* {"32000": {"content": "<pad>", "special": true}} */
static bool add_decoder(hf_vocab *v, const json *decoder, lory_err *err)
{
    const json *j = decoder && decoder->type == JSON_OBJECT ? decoder->first : NULL;
    for (; j; j = j->next) {
        char *end;
        gguf_str text;
        bool is_special = false;
        int64_t id = strtoll(j->key, &end, 10);
        json_get_bool(json_get(j, "special"), &is_special);
        if (*end || end == j->key || !token_text(j, &text)) continue;
        hf_vocab_count_spaced(v, j);
        if (!hf_vocab_add(v, id, text, is_special, err)) return false;
    }
    return true;
}

/* {"<pad>": 32000} */
static bool add_map(hf_vocab *v, const json *map, lory_err *err)
{
    int64_t id;
    for (const json *j = map ? map->first : NULL; j; j = j->next)
        if (json_get_int(j, &id)
            && !hf_vocab_add(v, id, (gguf_str){ j->key, j->n_key }, false, err))
            return false;
    return true;
}

static bool add_beside(hf_vocab *v, const hf_folder *f, lory_err *err)
{
    json_doc d;
    if (!folder_json(f, "added_tokens.json", &d, err)) return false;
    bool ok = add_map(v, d.root, err)
              && add_decoder(v, json_get(f->tok_config.root, "added_tokens_decoder"), err);
    json_close(&d);
    return ok;
}

/* The unknown token by its kind, which no configuration needs to name. */
static void find_unknown(hf_vocab *v)
{
    for (size_t i = v->n; i-- > 0;)
        if (v->model && v->types[i] == TOKEN_UNKNOWN) v->ids[HF_UNK] = (int32_t)i;
}

/* ---- finding the form ------------------------------------------------------------------------ */

static bool read_json(hf_vocab *v, const hf_folder *f, const char *arch, lory_err *err)
{
    json_doc d;
    v->is_json = true;
    char *path = folder_file(f, "tokenizer.json");
    bool ok = path && folder_json(f, "tokenizer.json", &d, err);
    if (!path) hf_vocab_no_memory(v, err);
    if (ok) {
        ok = read_tokenizer_json(v, d.root, f->tok_config.root, path, arch, err);
        json_close(&d);
    }
    mem_free(path);
    return ok;
}

/* A SentencePiece model, or the ranks of a tiktoken encoding, which some give the same name. The
 * latter does not say how text is cut, so that tokenizer.json is better; the former says more. */
static bool read_binary(hf_vocab *v, const hf_folder *f, const char *name, const char *arch,
                        lory_err *err)
{
    buf bytes = { 0 };
    char *path = folder_file(f, name);
    bool ok = path ? folder_text(f, name, &bytes, err) : hf_vocab_no_memory(v, err);
    if (!ok)
        ok = false;
    else if (!is_tiktoken(&bytes))
        ok = read_sentencepiece(v, &bytes, path, err);
    else if (folder_has(f, "tokenizer.json"))
        ok = read_json(v, f, arch, err);
    else
        ok = read_tiktoken(v, &bytes, path, arch, err);
    buf_free(&bytes);
    mem_free(path);
    return ok && add_beside(v, f, err);
}

/* The first of the names that files of SentencePiece and tiktoken have. */
static const char *model_file(const hf_folder *f)
{
    static const char *const names[] = { "tokenizer.model",     "ice_text.model",
                                         "spiece.model",        "qwen.tiktoken",
                                         "tokenizer.tiktoken",  "tiktoken.model",
                                         "cl100k_base.tiktoken" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (folder_has(f, names[i])) return names[i];
    return NULL;
}

static bool read_lines(hf_vocab *v, const hf_folder *f, const char *name, lory_err *err)
{
    buf bytes = { 0 };
    char *path = folder_file(f, name);
    bool is_plamo = strcmp(name, "tokenizer.jsonl") == 0;
    bool ok = path ? folder_text(f, name, &bytes, err) : hf_vocab_no_memory(v, err);
    ok = ok && (is_plamo ? read_plamo_lines : read_rwkv_lines)(v, &bytes, path, err);
    buf_free(&bytes);
    mem_free(path);
    return ok;
}

static bool read_form(hf_vocab *v, const hf_folder *f, const char *arch, lory_err *err)
{
    const char *name = model_file(f);
    if (name) return read_binary(v, f, name, arch, err);
    if (folder_has(f, "tokenizer.json")) return read_json(v, f, arch, err);
    if (folder_has(f, "vocab.json") && folder_has(f, "merges.txt"))
        return read_bpe_files(v, f, arch, err) && add_beside(v, f, err);
    static const char *const lines[] = { "tokenizer.jsonl", "rwkv_vocab_v20230424.txt" };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (folder_has(f, lines[i])) return read_lines(v, f, lines[i], err);
    return true; /* none */
}

static bool pad(hf_vocab *v, lory_err *err)
{
    char name[32];
    for (size_t i = 0; v->model && i < v->n; i++) {
        if (v->texts[i].s) continue;
        int n = snprintf(name, sizeof name, "[PAD%zu]", i);
        if (!hf_vocab_set(v, (int64_t)i, (gguf_str){ name, (size_t)n }, TOKEN_UNUSED, -10000.0f,
                          err))
            return false;
    }
    return true;
}

bool hf_vocab_read(hf_vocab *v, const hf_folder *f, int64_t n_rows, const char *arch, lory_err *err)
{
    size_t n = (size_t)n_rows;
    *v = (hf_vocab){ .n = n,
                     .add_bos = HF_UNSAID,
                     .add_eos = HF_UNSAID,
                     .add_sep = HF_UNSAID,
                     .before.id = HF_UNSAID,
                     .behind.id = HF_UNSAID,
                     .add_space_prefix = HF_UNSAID,
                     .remove_extra_whitespaces = HF_UNSAID };
    for (int i = 0; i < HF_ID_COUNT; i++) v->ids[i] = HF_UNSAID;
    v->texts = arena_new(&v->arena, n, sizeof *v->texts);
    v->scores = arena_new(&v->arena, n, sizeof *v->scores);
    v->types = arena_new(&v->arena, n, sizeof *v->types);
    bool ok = v->texts && v->scores && v->types ? true : hf_vocab_no_memory(v, err);
    ok = ok && read_form(v, f, arch, err) && pad(v, err);
    if (ok) {
        find_unknown(v);
        take_config(v, f);
    }
    if (!ok) hf_vocab_free(v);
    return ok;
}

/* ---- keys ------------------------------------------------------------------------------------ */

#define KEY(name) "tokenizer.ggml." name

static void put_bool(gguf_writer *w, const char *key, int value)
{
    if (value != HF_UNSAID) gguf_put_bool(w, key, value != 0);
}

static void put_charsmap(gguf_writer *w, gguf_str map)
{
    static const char key[] = KEY("precompiled_charsmap");
    gguf_kv kv = { .key = { key, sizeof key - 1 },
                   .type = GGUF_ARR,
                   .elem = GGUF_U8,
                   .n = map.n,
                   .data = map.s,
                   .n_bytes = map.n };
    if (map.n) gguf_put_kv(w, &kv);
}

void hf_vocab_put(const hf_vocab *v, gguf_writer *w)
{
    char key[64];
    if (v->model) {
        gguf_put_str(w, KEY("model"), v->model);
        gguf_put_str(w, KEY("pre"), v->pre);
        gguf_put_strs(w, KEY("tokens"), v->texts, v->n);
        if (v->has_scores) gguf_put_f32s(w, KEY("scores"), v->scores, v->n);
        gguf_put_i32s(w, KEY("token_type"), v->types, v->n);
        if (v->merges && !v->has_scores) gguf_put_strs(w, KEY("merges"), v->merges, v->n_merges);
        put_charsmap(w, v->charsmap);
        put_bool(w, KEY("add_space_prefix"), v->add_space_prefix);
        put_bool(w, KEY("remove_extra_whitespaces"), v->remove_extra_whitespaces);
    }
    for (int i = 0; i < HF_ID_COUNT; i++) {
        snprintf(key, sizeof key, "tokenizer.ggml.%s", ids[i].key);
        if (v->ids[i] != HF_UNSAID) gguf_put_u32(w, key, (uint32_t)v->ids[i]);
    }
    put_bool(w, KEY("add_bos_token"), v->add_bos);
    put_bool(w, KEY("add_eos_token"), v->add_eos);
    put_bool(w, KEY("add_sep_token"), v->add_sep);
}
