/* vocab.c - see vocab.h. */
#include "token/vocab.h"
#include "base/err.h"
#include "base/mem.h"
#include "text/digit.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Tokens that end a generation wherever they are found, by text: llama.cpp's list, which holds
 * what the chat models of the last years end their turns with. */
static const char *const end_texts[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<\357\275\234end\342\226\201of\342\226\201sentence\357\275\234>",
};

static bool is_end_text(gguf_str s)
{
    if (s.n < 4 || !memchr("<[_", s.s[0], 3)) return false;
    for (size_t i = 0; i < sizeof end_texts / sizeof end_texts[0]; i++)
        if (gguf_str_is(s, end_texts[i])) return true;
    return false;
}

static bool no_memory(const vocab *v, lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "%s: no memory for a vocabulary of %zu tokens", v->path,
                   v->n);
}

/* ---- arrays ------------------------------------------------------------------------------ */

static bool take_memory(vocab *v, lory_err *err)
{
    v->text = mem_new(v->n, sizeof *v->text);
    v->type = mem_new(v->n, sizeof *v->type);
    v->is_end = mem_new(v->n, sizeof *v->is_end);
    return (v->text && v->type && v->is_end) || no_memory(v, err);
}

/* How many ids a model without a vocabulary has: its own key says, or its embedding. */
static bool read_count(vocab *v, const gguf *g, lory_err *err)
{
    char key[128];
    gguf_str arch = { 0 };
    uint64_t n = 0;
    const gguf_tensor *embd = gguf_find_tensor(g, "token_embd.weight");
    if (embd && embd->n_dims == 2) n = (uint64_t)embd->ne[1];
    if (!gguf_get_str(g, "general.architecture", &arch, err)) return false;
    snprintf(key, sizeof key, "%.*s.vocab_size", arch.n < 64 ? (int)arch.n : 64,
             arch.n ? arch.s : "");
    if (!gguf_get_uint(g, key, INT32_MAX, &n, err)) return false;
    if (n == 0 || n > INT32_MAX)
        return err_set(err, LORY_E_FORMAT,
                       "%s: neither a vocabulary nor the key %s says how many tokens there are",
                       v->path, key);
    v->n = (size_t)n;
    return take_memory(v, err);
}

static bool read_texts(vocab *v, const gguf *g, lory_err *err)
{
    const gguf_kv *kv;
    if (!gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STR, &kv, err)) return false;
    if (!kv && (gguf_str_is(v->model, "no_vocab") || gguf_str_is(v->model, "none")))
        return read_count(v, g, err);
    if (!kv || kv->n == 0 || kv->n > INT32_MAX)
        return err_set(err, LORY_E_FORMAT,
                       "%s: tokenizer.ggml.tokens has %" PRIu64 " tokens, expected 1 to %d",
                       v->path, kv ? kv->n : 0, INT32_MAX);
    v->n = (size_t)kv->n;
    if (!take_memory(v, err)) return false;
    gguf_str_iter it = gguf_strings(kv);
    for (size_t i = 0; i < v->n && gguf_next(&it, &v->text[i]); i++)
        if (v->text[i].n > VOCAB_MAX_TOKEN_BYTES)
            return err_set(err, LORY_E_FORMAT, "%s: token %zu has %zu bytes, expected at most %d",
                           v->path, i, v->text[i].n, VOCAB_MAX_TOKEN_BYTES);
    return true;
}

/* Fails unless an array that goes with the tokens is as long as they are. */
static bool check_length(const vocab *v, const gguf_kv *kv, const char *key, lory_err *err)
{
    if (kv->n == v->n) return true;
    return err_set(err, LORY_E_FORMAT, "%s: %s has %" PRIu64 " elements, but there are %zu tokens",
                   v->path, key, kv->n, v->n);
}

static bool read_scores(vocab *v, const gguf *g, lory_err *err)
{
    static const char key[] = "tokenizer.ggml.scores";
    const gguf_kv *kv;
    if (!gguf_get_array(g, key, GGUF_F32, &kv, err)) return false;
    if (!kv) return true;
    if (!check_length(v, kv, key, err)) return false;
    v->score = mem_new(v->n, sizeof *v->score);
    if (!v->score) return no_memory(v, err);
    memcpy(v->score, kv->data, v->n * sizeof *v->score);
    for (size_t i = 0; i < v->n; i++)
        if (isnan(v->score[i]))
            return err_set(err, LORY_E_FORMAT, "%s: %s of token %zu is NaN", v->path, key, i);
    return true;
}

static bool read_types(vocab *v, const gguf *g, lory_err *err)
{
    static const char key[] = "tokenizer.ggml.token_type";
    const gguf_kv *kv;
    memset(v->type, TOKEN_NORMAL, v->n);
    if (!gguf_get_array(g, key, GGUF_I32, &kv, err)) return false;
    if (!kv) return true;
    if (!check_length(v, kv, key, err)) return false;
    for (size_t i = 0; i < v->n; i++) {
        int64_t type = gguf_int_at(kv, i);
        if (type < 0 || type > TOKEN_BYTE)
            return err_set(err, LORY_E_FORMAT,
                           "%s: %s of token %zu is %" PRId64 ", expected 1 to %d", v->path, key, i,
                           type, TOKEN_BYTE);
        if (type > 0) v->type[i] = (uint8_t)type; /* 0, undefined, is normal */
        v->n_byte += type == TOKEN_BYTE;
    }
    return true;
}

/* The charsmap is an array of bytes, signed or not. */
static bool read_charsmap(vocab *v, const gguf *g, lory_err *err)
{
    const gguf_kv *kv = gguf_find(g, "tokenizer.ggml.precompiled_charsmap");
    if (!kv) return true;
    if (kv->type != GGUF_ARR || (kv->elem != GGUF_U8 && kv->elem != GGUF_I8))
        return err_set(err, LORY_E_FORMAT,
                       "%s: tokenizer.ggml.precompiled_charsmap is no array "
                       "of bytes",
                       v->path);
    if (kv->n > 0) v->charsmap = kv;
    return true;
}

/* ---- ids and flags ----------------------------------------------------------------------- */

/* An id key must name a token; 2^32-1, which writers use for "none", is none. */
static bool read_id(const vocab *v, const gguf *g, const char *key, int32_t *id, lory_err *err)
{
    uint64_t value = UINT64_MAX;
    if (!gguf_get_uint(g, key, UINT32_MAX, &value, err)) return false;
    if (value == UINT64_MAX) {
        if (*id >= 0 && (size_t)*id >= v->n) *id = -1; /* a default of larger vocabularies */
        return true;
    }
    if (value != UINT32_MAX && value >= v->n)
        return err_set(err, LORY_E_FORMAT, "%s: %s is %" PRIu64 ", but there are %zu tokens",
                       v->path, key, value, v->n);
    *id = value == UINT32_MAX ? -1 : (int32_t)value;
    return true;
}

static bool read_ids(vocab *v, const gguf *g, lory_err *err)
{
    const struct {
        const char *key;
        int32_t *id;
    } rows[] = {
        { "tokenizer.ggml.bos_token_id", &v->bos },
        { "tokenizer.ggml.eos_token_id", &v->eos },
        { "tokenizer.ggml.unknown_token_id", &v->unk },
        { "tokenizer.ggml.seperator_token_id", &v->sep }, /* spelt so in the format */
        { "tokenizer.ggml.padding_token_id", &v->pad },
        { "tokenizer.ggml.mask_token_id", &v->mask },
        { "tokenizer.ggml.eot_token_id", &v->eot },
        { "tokenizer.ggml.eom_token_id", &v->eom },
        { "tokenizer.ggml.fim_pad_token_id", &v->fim_pad },
        { "tokenizer.ggml.fim_rep_token_id", &v->fim_rep },
        { "tokenizer.ggml.fim_sep_token_id", &v->fim_sep },
    };
    if (!read_id(v, g, "tokenizer.ggml.cls_token_id", &v->bos, err)) return false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!read_id(v, g, rows[i].key, rows[i].id, err)) return false;
    return true;
}

static bool read_flags(vocab *v, const gguf *g, lory_err *err)
{
    return gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &v->add_bos, err)
           && gguf_get_bool(g, "tokenizer.ggml.add_eos_token", &v->add_eos, err)
           && gguf_get_bool(g, "tokenizer.ggml.add_sep_token", &v->add_sep, err)
           && gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", &v->add_space_prefix, err)
           && gguf_get_bool(g, "tokenizer.ggml.remove_extra_whitespaces",
                            &v->remove_extra_whitespaces, err)
           && gguf_get_bool(g, "tokenizer.ggml.escape_whitespaces", &v->escape_whitespaces, err);
}

/* Which tokens end a generation. One that does by its text must not come out of user text, so it
 * is a control token even where the file calls it user-defined. */
static void find_ends(vocab *v)
{
    const int32_t ids[] = { v->eos, v->eot, v->eom, v->fim_pad, v->fim_rep, v->fim_sep };
    int64_t end = -1, s_end = -1;
    bool has_return = false, has_call = false, has_flush = false, has_tools = false;
    for (size_t i = 0; i < v->n; i++) {
        if (!is_end_text(v->text[i])) continue;
        v->is_end[i] = true;
        if (v->type[i] == TOKEN_USER_DEFINED) v->type[i] = TOKEN_CONTROL;
        if (gguf_str_is(v->text[i], "<|end|>")) end = (int64_t)i;
        if (gguf_str_is(v->text[i], "</s>")) s_end = (int64_t)i;
        has_return |= gguf_str_is(v->text[i], "<|return|>");
        has_call |= gguf_str_is(v->text[i], "<|call|>") || gguf_str_is(v->text[i], "<|calls|>");
        has_flush |= gguf_str_is(v->text[i], "<|flush|>");
        has_tools |= gguf_str_is(v->text[i], "<|tool_response>");
    }
    /* There <|end|> only separates the messages of one turn, and </s> is of HTML. */
    if (end >= 0 && has_call && (has_return || has_flush)) v->is_end[end] = false;
    if (s_end >= 0 && has_tools) v->is_end[s_end] = false;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (ids[i] >= 0) v->is_end[ids[i]] = true;
}

/* "Phi-3-mini", "phi3", "Phi 3.5": the places where a name may say it. */
static bool is_phi3_name(gguf_str s)
{
    for (size_t i = 0; i + 4 <= s.n; i++) {
        const char *c = s.s + i;
        size_t at = c[3] == '-' || c[3] == ' ' ? 4 : 3;
        if ((c[0] | 32) == 'p' && (c[1] | 32) == 'h' && (c[2] | 32) == 'i' && i + at < s.n
            && c[at] == '3')
            return true;
    }
    return false;
}

/* No key says so; but of the models named chatglm only the first has a unigram vocabulary, and of
 * those named Phi-3 all with a SentencePiece one have special tokens that take white space along
 * (Hugging Face's rstrip). */
static bool read_architecture(vocab *v, const gguf *g, lory_err *err)
{
    gguf_str arch = { 0 }, name = { 0 };
    if (!gguf_get_str(g, "general.architecture", &arch, err)
        || !gguf_get_str(g, "general.name", &name, err))
        return false;
    v->has_glm_text = gguf_str_is(arch, "chatglm") && gguf_str_is(v->model, "t5");
    v->strips_after = gguf_str_is(v->model, "llama")
                      && (gguf_str_is(arch, "phi3") || gguf_str_is(arch, "phimoe")
                          || is_phi3_name(name));
    return true;
}

static void set_defaults(vocab *v, const vocab_defaults *d)
{
    v->bos = d->bos, v->eos = d->eos, v->unk = d->unk;
    v->sep = d->sep, v->pad = d->pad, v->mask = d->mask;
    v->eot = v->eom = v->fim_pad = v->fim_rep = v->fim_sep = -1;
    v->add_bos = d->add_bos, v->add_eos = d->add_eos, v->add_sep = d->add_sep;
    v->add_space_prefix = d->add_space_prefix;
    v->remove_extra_whitespaces = d->remove_extra_whitespaces;
    v->escape_whitespaces = d->escape_whitespaces;
}

bool vocab_read(vocab *v, const gguf *g, const vocab_defaults *defaults, lory_err *err)
{
    *v = (vocab){ .path = gguf_path(g) };
    set_defaults(v, defaults);
    if (gguf_get_str(g, "tokenizer.ggml.model", &v->model, err)
        && gguf_get_str(g, "tokenizer.ggml.pre", &v->pre, err) && read_texts(v, g, err)
        && read_scores(v, g, err) && read_types(v, g, err) && read_charsmap(v, g, err)
        && gguf_get_array(g, "tokenizer.ggml.merges", GGUF_STR, &v->merges, err)
        && read_ids(v, g, err) && read_flags(v, g, err) && read_architecture(v, g, err)) {
        find_ends(v);
        return true;
    }
    vocab_free(v);
    return false;
}

void vocab_free(vocab *v)
{
    mem_free(v->text);
    mem_free(v->score);
    mem_free(v->type);
    mem_free(v->is_end);
    *v = (vocab){ 0 };
}

int vocab_byte_of(gguf_str t)
{
    if (t.n != 6 || memcmp(t.s, "<0x", 3) != 0 || t.s[5] != '>') return -1;
    int high = digit_value(t.s[3]), low = digit_value(t.s[4]);
    return high >= 16 || low >= 16 ? -1 : high * 16 + low;
}
