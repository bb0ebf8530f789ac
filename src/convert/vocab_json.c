/* vocab_json.c - reads tokenizer.json of the Hugging Face tokenizers library; see vocab_forms.h. */
#include "base/err.h"
#include "base/mem.h"
#include "convert/byte_chars.h"
#include "convert/json_parts.h"
#include "convert/vocab_forms.h"
#include "gguf/name_table.h"
#include "token/pretok.h"
#include <string.h>

static const char space_mark[] = "\xe2\x96\x81"; /* U+2581, SentencePiece's blank */

/* ---- merges -------------------------------------------------------------------------------- */

/* One half of a merge: a blank in it, which the pair is written with, becomes U+0120. */
static void put_half(buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] == ' ')
            buf_puts(b, "\xc4\xa0");
        else
            buf_putc(b, s[i]);
}

/* "left right" or ["left", "right"]. */
static bool merge_text(const json *j, buf *out)
{
    const json *a = j->first, *b = a ? a->next : NULL;
    buf_clear(out);
    if (j->type == JSON_STRING) return buf_put(out, j->str, j->n) && memchr(j->str, ' ', j->n);
    if (j->type != JSON_ARRAY || j->n != 2 || a->type != JSON_STRING || b->type != JSON_STRING)
        return false;
    put_half(out, a->str, a->n);
    buf_putc(out, ' ');
    put_half(out, b->str, b->n);
    return !out->failed;
}

static bool merge_wrong(const hf_vocab *v, const buf *text, const char *path, lory_err *err)
{
    if (text->failed) return hf_vocab_no_memory(v, err);
    return err_set(err, LORY_E_FORMAT, "%s: merge %zu is no pair of tokens", path, v->n_merges + 1);
}

static bool read_merges(hf_vocab *v, const json *merges, const char *path, lory_err *err)
{
    buf text = { 0 };
    bool ok = merges && merges->type == JSON_ARRAY;
    if (!ok) return err_set(err, LORY_E_FORMAT, "%s: the model has no merges", path);
    v->merges = arena_new(&v->arena, merges->n, sizeof *v->merges);
    if (!v->merges) return hf_vocab_no_memory(v, err);
    for (const json *j = merges->first; ok && j; j = j->next) {
        ok = merge_text(j, &text);
        if (!ok) {
            merge_wrong(v, &text, path, err);
            break;
        }
        gguf_str *m = &v->merges[v->n_merges++];
        *m = (gguf_str){ arena_strndup(&v->arena, text.data, text.len), text.len };
        ok = m->s || hf_vocab_no_memory(v, err);
    }
    buf_free(&text);
    return ok;
}

/* ---- tokens -------------------------------------------------------------------------------- */

/* User-defined tokens of SentencePiece stand with blanks for its mark, as they are in text. */
static bool put_plain_blanks(buf *out, gguf_str s)
{
    size_t n = sizeof space_mark - 1;
    buf_clear(out);
    for (size_t i = 0; i < s.n; i++) {
        bool is_mark = s.n - i >= n && memcmp(s.s + i, space_mark, n) == 0;
        buf_putc(out, is_mark ? ' ' : s.s[i]);
        if (is_mark) i += n - 1;
    }
    return !out->failed;
}

static bool read_added(hf_vocab *v, const json *list, bool is_sp, lory_err *err)
{
    buf plain = { 0 };
    bool ok = true;
    for (const json *j = list ? list->first : NULL; ok && j; j = j->next) {
        gguf_str text;
        bool is_special = false;
        int64_t id = -1;
        const json *content = json_get(j, "content");
        if (!json_get_str(content, &text.s, &text.n) || !json_get_int(json_get(j, "id"), &id))
            continue;
        json_get_bool(json_get(j, "special"), &is_special);
        hf_vocab_count_spaced(v, j);
        if (is_sp && !is_special) {
            ok = put_plain_blanks(&plain, text) || hf_vocab_no_memory(v, err);
            text = (gguf_str){ plain.data ? plain.data : "", plain.len };
        }
        ok = ok && hf_vocab_add(v, id, text, is_special, err);
    }
    buf_free(&plain);
    return ok;
}

/* ---- the kinds of model --------------------------------------------------------------------- */

typedef struct {
    const json *root, *config; /* tokenizer.json; tokenizer_config.json, or NULL */
    const char *path, *arch;
} json_source;

/* Marks at the ends of words and before their later parts are of models that are no such. */
static bool check_marks(const json *model, const char *suffix, const char *path, lory_err *err)
{
    static const char *const keys[] = { "end_of_word_suffix", "continuing_subword_prefix" };
    for (int i = 0; i < 2; i++) {
        const json *j = json_get(model, keys[i]);
        if (j && j->type == JSON_STRING && !json_str_is(j, i ? "" : suffix) && j->n > 0)
            return err_set(err, LORY_E_UNSUPPORTED, "%s: the %s '%.40s' is not known", path,
                           keys[i], j->str);
    }
    return true;
}

static void set_type(hf_vocab *v, const json *name, token_type type)
{
    for (size_t i = 0; name && name->type == JSON_STRING && i < v->n; i++)
        if (v->texts[i].s && v->texts[i].n == name->n
            && memcmp(v->texts[i].s, name->str, name->n) == 0)
            v->types[i] = (int32_t)type;
}

/* A byte that is no token is left out, or is the unknown token if there is one. */
static bool read_unknown_bytes(hf_vocab *v, const json *model, const char *path, lory_err *err)
{
    const json *unk = json_get(model, "unk_token");
    bool has[256] = { false }, is_fused = false, has_all = true;
    if (!unk || unk->type != JSON_STRING) return true;
    for (size_t i = 0; i < v->n; i++) {
        int byte = v->texts[i].s ? byte_of_text(v->texts[i]) : -1;
        if (byte >= 0) has[byte] = true;
    }
    for (int i = 0; i < 256; i++) has_all &= has[i];
    json_get_bool(json_get(model, "fuse_unk"), &is_fused);
    if (has_all) return true;
    set_type(v, unk, TOKEN_UNKNOWN);
    return !is_fused
           || err_set(err, LORY_E_UNSUPPORTED,
                      "%s: one unknown token for several bytes (fuse_unk) is not known", path);
}

/* What transformers make of "add_prefix_space": of a "ByteLevel" alone tokenizer_config.json
 * decides, and says no where it says nothing. */
static bool check_prefix(const json *root, const json *config, const char *path, lory_err *err)
{
    const json *pre = json_get(root, "pre_tokenizer");
    bool has_prefix = false;
    json_get_bool(json_get(part_of_type(pre, "ByteLevel"), "add_prefix_space"), &has_prefix);
    if (config && json_str_is(json_get(pre, "type"), "ByteLevel")) {
        has_prefix = false;
        json_get_bool(json_get(config, "add_prefix_space"), &has_prefix);
    }
    return !has_prefix
           || err_set(err, LORY_E_UNSUPPORTED,
                      "%s: a blank before the text (add_prefix_space of 'ByteLevel') is not known",
                      path);
}

static bool read_byte_level(hf_vocab *v, const json_source *in, lory_err *err)
{
    const json *root = in->root, *model = json_get(root, "model");
    v->model = "gpt2";
    v->pre = pre_name(root, in->path, err);
    v->lacks_nfc = v->pre && part_of_type(json_get(root, "normalizer"), "NFC")
                   && !(pretok_find(v->pre, strlen(v->pre))->flags & PRETOK_NFC);
    return v->pre && parts_check_normalizer(root, PARTS_BYTES, in->path, err)
           && check_prefix(root, in->config, in->path, err)
           && check_marks(model, "", in->path, err)
           && hf_vocab_map(v, json_get(model, "vocab"), in->path, err)
           && read_unknown_bytes(v, model, in->path, err)
           && read_added(v, json_get(root, "added_tokens"), false, err)
           && read_merges(v, json_get(model, "merges"), in->path, err);
}

static void set_bytes(hf_vocab *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->texts[i].s && v->types[i] == TOKEN_NORMAL && vocab_byte_of(v->texts[i]) >= 0)
            v->types[i] = TOKEN_BYTE;
}

typedef struct {
    bool at_marks, at_lines;
} piece_cuts;

static bool is_cut(gguf_str s, piece_cuts cuts)
{
    size_t n_lines = 0;
    for (size_t i = 0; cuts.at_lines && i < s.n; i++) n_lines += s.s[i] == '\n';
    return (cuts.at_marks && s.n > 1 && memmem(s.s + 1, s.n - 1, space_mark, 3))
           || (n_lines > 0 && n_lines < s.n);
}

/* A "Metaspace" that splits makes a word of each mark and what follows, so that a piece with a
 * mark inside is never made; nor is one with newlines and others, where lines are split. */
static bool check_split(hf_vocab *v, const json *root, const char *path, lory_err *err)
{
    const json *meta = part_of_type(json_get(root, "pre_tokenizer"), "Metaspace");
    bool is_unigram = strcmp(v->model, "t5") == 0;
    piece_cuts cuts = { meta != NULL, parts_split_lines(root) };
    json_get_bool(json_get(meta, "split"), &cuts.at_marks);
    for (size_t i = 0; i < v->n; i++) {
        if (v->types[i] != TOKEN_NORMAL || !is_cut(v->texts[i], cuts)) continue;
        if (!is_unigram)
            return err_set(err, LORY_E_UNSUPPORTED,
                           "%s: a 'Metaspace' that splits is not known with pieces of several "
                           "words (piece %zu)",
                           path, i);
        v->types[i] = TOKEN_UNUSED;
    }
    return true;
}

static const gguf_str *find_piece(const hf_vocab *v, const name_table *names, const char *s,
                                  size_t n)
{
    const gguf_str *text = name_table_find(names, (gguf_str){ s, n });
    return text && v->types[text - v->texts] == TOKEN_NORMAL ? text : NULL;
}

/* Scores let any two pieces merge whose texts make a piece, so that the list must have all of
 * these pairs, as those made of SentencePiece's models have. (Some lack the first.) */
static bool check_pairs(const hf_vocab *v, const name_table *names, const char *path, lory_err *err)
{
    enum { MAX_BYTES = 256 }; /* longer pieces are too few to tell anything */
    size_t n_pairs = 0;
    for (size_t i = 0; i < v->n; i++) {
        gguf_str s = v->texts[i];
        if (!s.s || s.n > MAX_BYTES || v->types[i] != TOKEN_NORMAL) continue;
        for (size_t k = 1; k < s.n; k++)
            n_pairs += find_piece(v, names, s.s, k) && find_piece(v, names, s.s + k, s.n - k);
    }
    if (n_pairs <= v->n_merges + 1 + n_pairs / 64) return true;
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: the merges are not of a SentencePiece model (%zu; there are %zu pairs of "
                   "pieces that make a piece)",
                   path, v->n_merges, n_pairs);
}

/* Pieces without a score yet get the next lower one, in the order of the merges that make them. */
static bool score_in_order(hf_vocab *v, const name_table *names, float unset, lory_err *err)
{
    buf piece = { 0 };
    float score = 0.0f;
    for (size_t i = 0; i < v->n_merges && !piece.failed; i++) {
        gguf_str m = v->merges[i];
        const char *blank = memchr(m.s, ' ', m.n);
        size_t n_left = (size_t)(blank - m.s);
        buf_clear(&piece);
        buf_put(&piece, m.s, n_left);
        buf_put(&piece, blank + 1, m.n - n_left - 1);
        const gguf_str *text = name_table_find(names, (gguf_str){ piece.data, piece.len });
        if (text && v->scores[text - v->texts] == unset) v->scores[text - v->texts] = score--;
    }
    for (size_t i = 0; i < v->n; i++)
        if (v->texts[i].s && v->scores[i] == unset) v->scores[i] = score--;
    bool ok = !piece.failed;
    buf_free(&piece);
    return ok || hf_vocab_no_memory(v, err);
}

/* Byte-pair encoding over SentencePiece's pieces. Its merges are sorted by the score of what they
 * make, so that the order in which pieces are first made gives scores that merge alike. */
static bool score_merges(hf_vocab *v, const char *path, lory_err *err)
{
    const float unset = 1.0f;
    const uint64_t key[2] = { (uint64_t)(uintptr_t)v->texts, (uint64_t)(uintptr_t)v };
    name_table names = { .items = v->texts, .stride = sizeof *v->texts, .hash_key = key };
    names.slots = name_table_new(v->n, &names.n_slots);
    if (!names.slots) return hf_vocab_no_memory(v, err);
    for (size_t i = 0; i < v->n; i++) {
        if (v->types[i] == TOKEN_NORMAL) v->scores[i] = unset;
        if (v->texts[i].s) *name_table_slot(&names, v->texts[i]) = (uint32_t)i + 1;
    }
    bool ok = check_pairs(v, &names, path, err) && score_in_order(v, &names, unset, err);
    mem_free(names.slots);
    v->has_scores = true;
    return ok;
}

/* Gemma 4's marks of thinking and of calls are text for who reads an answer. */
static void show_marks(hf_vocab *v)
{
    static const char *const marks[] = { "<|channel>",   "<channel|>",       "<|tool_call>",
                                         "<tool_call|>", "<|tool_response>", "<tool_response|>",
                                         "<|\"|>" };
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++)
            if (v->texts[i].s && gguf_str_is(v->texts[i], marks[k]))
                v->types[i] = TOKEN_USER_DEFINED;
}

/* Files of Gemma 4 keep the merges, those of others scores that merge alike. */
static bool read_sp_bpe(hf_vocab *v, const json_source *in, lory_err *err)
{
    const json *root = in->root, *model = json_get(root, "model");
    bool keeps_merges = strcmp(in->arch, "gemma4") == 0;
    v->model = keeps_merges ? "gemma4" : "llama";
    v->pre = "default";
    if (!parts_check_normalizer(root, PARTS_SP, in->path, err)
        || (!keeps_merges && !parts_check_pre(root, PARTS_SP, in->path, err))
        || !check_marks(model, "", in->path, err)
        || !hf_vocab_map(v, json_get(model, "vocab"), in->path, err))
        return false;
    set_bytes(v);
    set_type(v, json_get(model, "unk_token"), TOKEN_UNKNOWN);
    parts_read_blanks(v, root, PARTS_SP);
    if (!read_added(v, json_get(root, "added_tokens"), true, err)
        || !read_merges(v, json_get(model, "merges"), in->path, err))
        return false;
    if (!keeps_merges) return check_split(v, root, in->path, err) && score_merges(v, in->path, err);
    show_marks(v);
    return true;
}

/* GPT-1: words end with "</w>". */
static bool read_gpt1(hf_vocab *v, const json_source *in, lory_err *err)
{
    const json *root = in->root, *model = json_get(root, "model");
    v->model = v->pre = "openai-gpt";
    if (!parts_check_normalizer(root, PARTS_GPT1, in->path, err)
        || !parts_check_pre(root, PARTS_GPT1, in->path, err)
        || !check_marks(model, "</w>", in->path, err)
        || !hf_vocab_map(v, json_get(model, "vocab"), in->path, err))
        return false;
    set_type(v, json_get(model, "unk_token"), TOKEN_UNKNOWN);
    return read_added(v, json_get(root, "added_tokens"), false, err)
           && read_merges(v, json_get(model, "merges"), in->path, err);
}

/* [["piece", score], ..]: the place is the id. */
static bool read_pieces(hf_vocab *v, const json *list, const char *path, lory_err *err)
{
    int64_t id = 0;
    double score = 0.0;
    if (!list || list->type != JSON_ARRAY)
        return err_set(err, LORY_E_FORMAT, "%s: the model has no vocab", path);
    for (const json *j = list->first; j; j = j->next, id++) {
        gguf_str text;
        if (j->type != JSON_ARRAY || j->n != 2 || !json_get_str(j->first, &text.s, &text.n)
            || !json_get_num(j->first->next, &score))
            return err_set(err, LORY_E_FORMAT, "%s: piece %d is no text with a score", path,
                           (int)id);
        if (!hf_vocab_set(v, id, text, TOKEN_NORMAL, (float)score, err)) return false;
    }
    return true;
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool base64_decode(const char *s, size_t n, buf *out)
{
    uint32_t bits = 0;
    int n_bits = 0;
    while (n && s[n - 1] == '=') n--;
    for (size_t i = 0; i < n; i++) {
        int value = base64_value(s[i]);
        if (value < 0) return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        if (out) buf_putc(out, (char)(unsigned char)(bits >> n_bits));
    }
    return !out || !out->failed;
}

static bool read_charsmap(hf_vocab *v, const json *root, const char *path, lory_err *err)
{
    const json *p = part_of_type(json_get(root, "normalizer"), "Precompiled");
    gguf_str text;
    buf bytes = { 0 };
    if (!json_get_str(json_get(p, "precompiled_charsmap"), &text.s, &text.n)) return true;
    bool ok = base64_decode(text.s, text.n, &bytes);
    if (bytes.failed)
        hf_vocab_no_memory(v, err);
    else if (!ok)
        err_set(err, LORY_E_FORMAT, "%s: the precompiled_charsmap is no base64", path);
    v->charsmap =
        (gguf_str){ ok ? arena_strndup(&v->arena, bytes.data ? bytes.data : "", bytes.len) : NULL,
                    bytes.len };
    buf_free(&bytes);
    return ok && (v->charsmap.s || hf_vocab_no_memory(v, err));
}

static bool read_unigram(hf_vocab *v, const json_source *in, lory_err *err)
{
    const json *root = in->root, *model = json_get(root, "model");
    int64_t unk = -1;
    v->model = "t5";
    v->pre = "default";
    v->has_scores = true;
    if (!parts_check_normalizer(root, PARTS_UNIGRAM, in->path, err)
        || !parts_check_pre(root, PARTS_UNIGRAM, in->path, err)
        || !read_pieces(v, json_get(model, "vocab"), in->path, err))
        return false;
    set_bytes(v);
    if (json_get_int(json_get(model, "unk_id"), &unk) && unk >= 0 && (uint64_t)unk < v->n)
        v->types[unk] = TOKEN_UNKNOWN;
    parts_read_blanks(v, root, PARTS_UNIGRAM);
    return read_charsmap(v, root, in->path, err)
           && read_added(v, json_get(root, "added_tokens"), true, err)
           && check_split(v, root, in->path, err);
}

bool read_tokenizer_json(hf_vocab *v, const json *root, const json *config, const char *path,
                         const char *arch, lory_err *err)
{
    const json_source in = { root, config, path, arch };
    const json *model = json_get(root, "model"), *type = json_get(model, "type"),
               *pieces = json_get(model, "vocab");
    bool falls_back = false;
    bool is_byte_level = part_of_type(json_get(root, "pre_tokenizer"), "ByteLevel")
                         || part_of_type(json_get(root, "decoder"), "ByteLevel");
    json_get_bool(json_get(model, "byte_fallback"), &falls_back);
    parts_read_around(v, root);
    bool is_list = pieces && pieces->type == JSON_ARRAY; /* old files do not say their type */
    if (type ? json_str_is(type, "Unigram") : is_list) return read_unigram(v, &in, err);
    if (!type || json_str_is(type, "BPE")) {
        if (is_byte_level) return read_byte_level(v, &in, err);
        if (falls_back) return read_sp_bpe(v, &in, err);
        if (json_str_is(json_get(model, "end_of_word_suffix"), "</w>"))
            return read_gpt1(v, &in, err);
    }
    const char *name = type && type->type == JSON_STRING ? type->str : "";
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: a model of %s%.40s%s is not known (known: BPE of bytes, BPE with byte "
                   "fallback, Unigram)",
                   path, type ? "type '" : "no type", name, type ? "'" : "");
}
