/* inspect_text.c - a weight file for people to read; see inspect.h. Text from the file is shown
 * without control characters, so that no file can play with the terminal. */
#include "base/err.h"
#include "base/utf8.h"
#include "cli/inspect.h"
#include "text/json.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_TEXT = 60, N_FIRST = 6, KEY_WIDTH = 44, LABEL_WIDTH = 14 };

typedef struct {
    const inspection *x;
    buf *out;
    bool is_bold;
} page;

/* ---- pieces ------------------------------------------------------------------------------ */

static void heading(page *p, const char *title)
{
    buf_printf(p->out, p->is_bold ? "\n\033[1m%s\033[0m\n" : "\n%s\n", title);
}

static void label(page *p, const char *name)
{
    buf_printf(p->out, "  %-*s", LABEL_WIDTH, name);
}

static bool is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e)
           || (cp >= 0x2066 && cp <= 0x2069); /* the last two turn the direction of writing */
}

/* At most max characters of a text, on one line. */
static void put_clean(buf *out, gguf_str s, size_t max)
{
    size_t n = 0;
    for (size_t at = 0; at < s.n; n++) {
        uint32_t cp;
        size_t n_bytes = utf8_decode(s.s + at, s.n - at, &cp);
        if (n == max) {
            buf_printf(out, "... (%zu bytes)", s.n);
            return;
        }
        if (cp == '\n')
            buf_puts(out, "\\n");
        else if (cp == UTF8_BAD || is_control(cp))
            buf_putc(out, '?');
        else
            buf_put(out, s.s + at, n_bytes);
        at += n_bytes;
    }
}

static const char *bytes(uint64_t n, char text[32])
{
    return inspect_scaled((double)n, "B", text);
}

/* ---- the model --------------------------------------------------------------------------- */

static void put_text_line(page *p, const char *name, gguf_str s)
{
    if (s.n == 0) return;
    label(p, name);
    put_clean(p->out, s, MAX_TEXT);
    buf_putc(p->out, '\n');
}

static void put_range(page *p, uint64_t least, uint64_t most)
{
    if (least != most) buf_printf(p->out, "%" PRIu64 " to ", least);
    buf_printf(p->out, "%" PRIu64, most);
}

static void put_arch_line(page *p, const char *name, const char *suffix)
{
    uint64_t least = 0, most;
    if (!inspect_arch_range(&p->x->g, suffix, &least, &most)) return;
    label(p, name);
    put_range(p, least, most);
    buf_putc(p->out, '\n');
}

static void put_heads(page *p)
{
    uint64_t least = 0, most, kv_least = 0, kv_most;
    if (!inspect_arch_range(&p->x->g, "attention.head_count", &least, &most)) return;
    label(p, "heads");
    put_range(p, least, most);
    if (inspect_arch_range(&p->x->g, "attention.head_count_kv", &kv_least, &kv_most)
        && (kv_least != least || kv_most != most)) {
        buf_puts(p->out, ", ");
        put_range(p, kv_least, kv_most);
        buf_puts(p->out, " for keys and values");
    }
    buf_putc(p->out, '\n');
}

static void put_experts(page *p)
{
    uint64_t n, n_used;
    if (!inspect_arch_uint(&p->x->g, "expert_count", &n) || n == 0) return;
    label(p, "experts");
    buf_printf(p->out, "%" PRIu64, n);
    if (inspect_arch_uint(&p->x->g, "expert_used_count", &n_used))
        buf_printf(p->out, ", %" PRIu64 " for a token", n_used);
    buf_putc(p->out, '\n');
}

/* "base 500000, 64 values of a head, yarn: 4 times 32768 tokens" */
static void put_rope(page *p)
{
    const gguf *g = &p->x->g;
    double base = inspect_arch_number(g, "rope.freq_base", 0);
    double n_rot = inspect_arch_number(g, "rope.dimension_count", 0);
    double factor = inspect_arch_number(g, "rope.scaling.factor", 1);
    double n_orig = inspect_arch_number(g, "rope.scaling.original_context_length", 0);
    gguf_str kind = inspect_arch_str(g, "rope.scaling.type");
    const char *comma = "";
    if (base == 0 && n_rot == 0 && kind.n == 0) return;
    label(p, "rope");
    if (base > 0) buf_printf(p->out, "base %.9g", base), comma = ", ";
    if (n_rot > 0) buf_printf(p->out, "%s%.0f values of a head", comma, n_rot), comma = ", ";
    if (kind.n) {
        buf_puts(p->out, comma);
        put_clean(p->out, kind, 20);
        if (factor != 1) buf_printf(p->out, ", %.4g times", factor);
        if (n_orig > 0) buf_printf(p->out, " of %.0f tokens", n_orig);
    }
    buf_putc(p->out, '\n');
}

static void put_model(page *p)
{
    char text[32];
    heading(p, "Model");
    put_text_line(p, "name", inspect_str(&p->x->g, "general.name"));
    put_text_line(p, "architecture", inspect_str(&p->x->g, "general.architecture"));
    if (p->x->n_params) {
        label(p, "parameters");
        buf_printf(p->out, "%s\n", inspect_scaled((double)p->x->n_params, "", text));
    }
    put_arch_line(p, "context", "context_length");
    put_arch_line(p, "layers", "block_count");
    put_arch_line(p, "embedding", "embedding_length");
    put_arch_line(p, "feed-forward", "feed_forward_length");
    put_heads(p);
    put_experts(p);
    put_arch_line(p, "window", "attention.sliding_window");
    put_rope(p);
}

/* ---- the tokenizer ----------------------------------------------------------------------- */

static const char *tokenizer_kind(gguf_str model)
{
    static const struct {
        const char *model, *kind;
    } kinds[] = {
        { "llama", "SentencePiece BPE" },   { "gpt2", "byte-level BPE" },
        { "bert", "WordPiece" },            { "t5", "unigram" },
        { "rwkv", "greedy trie" },          { "openai-gpt", "BPE of words, as GPT-1's" },
        { "gemma4", "BPE of characters" },  { "plamo2", "best cut from the end" },
        { "no_vocab", "no vocabulary" },    { "none", "no vocabulary" },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (gguf_str_is(model, kinds[i].model)) return kinds[i].kind;
    return "of a kind unknown to lory";
}

static void put_token(page *p, const char *name, const char *key)
{
    uint64_t id;
    const gguf *g = &p->x->g;
    if (!gguf_find(g, key) || !gguf_get_uint(g, key, UINT32_MAX, &id, NULL)) return;
    label(p, name);
    buf_printf(p->out, "%" PRIu64 "  ", id);
    put_clean(p->out, inspect_token(g, id), MAX_TEXT);
    buf_putc(p->out, '\n');
}

static void put_tokenizer(page *p)
{
    const gguf *g = &p->x->g;
    const gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    const gguf_kv *merges = gguf_find(g, "tokenizer.ggml.merges");
    gguf_str model = inspect_str(g, "tokenizer.ggml.model");
    heading(p, "Tokenizer");
    if (!tokens) {
        buf_puts(p->out, "  none in this file\n");
        return;
    }
    label(p, "kind");
    buf_printf(p->out, "%s (", tokenizer_kind(model));
    put_clean(p->out, model, MAX_TEXT);
    buf_puts(p->out, ")\n");
    put_text_line(p, "pre-tokenizer", inspect_str(g, "tokenizer.ggml.pre"));
    label(p, "tokens");
    buf_printf(p->out, "%" PRIu64 "\n", tokens->n);
    if (merges) {
        label(p, "merges");
        buf_printf(p->out, "%" PRIu64 "\n", merges->n);
    }
    put_token(p, "begin token", "tokenizer.ggml.bos_token_id");
    put_token(p, "end token", "tokenizer.ggml.eos_token_id");
    label(p, "chat template");
    buf_puts(p->out, gguf_find(g, "tokenizer.chat_template") ? "yes\n" : "no\n");
}

/* ---- weights ----------------------------------------------------------------------------- */

static void put_use(page *p, const char *name, gguf_type_use u)
{
    char params[32], size[32];
    buf_printf(p->out, "  %-12s %8zu %12s %12s %10.2f\n", name, u.n_tensors,
               inspect_scaled((double)u.n_elems, "", params), bytes(u.n_bytes, size),
               8.0 * (double)u.n_bytes / (double)u.n_elems);
}

static void put_weights(page *p)
{
    const inspection *x = p->x;
    gguf_type_use all = { x->g.n_tensors, x->n_params, x->g.tensor_bytes };
    heading(p, "Weights");
    if (x->g.n_tensors == 0) {
        buf_puts(p->out, "  none: a vocabulary only\n");
        return;
    }
    buf_printf(p->out, "  %-12s %8s %12s %12s %10s\n", "type", "tensors", "parameters", "size",
               "bits each");
    for (int i = 0; i < QT_COUNT; i++)
        if (x->use[i].n_tensors) put_use(p, qtypes[i].name, x->use[i]);
    put_use(p, "all", all);
}

static void put_tensors(page *p)
{
    const gguf *g = &p->x->g;
    char size[32], shape[96], type[32];
    heading(p, "Tensors");
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        int n = 0;
        for (int k = 0; k < t->n_dims; k++)
            n += snprintf(shape + n, sizeof shape - (size_t)n, "%s%" PRId64, k ? " x " : "",
                          t->ne[k]);
        buf_printf(p->out, "  %-8s %12s  %-22s ", inspect_type_name(t, type),
                   t->type == QT_COUNT ? "?" : bytes(t->n_bytes, size), shape);
        put_clean(p->out, t->name, MAX_TEXT);
        buf_putc(p->out, '\n');
    }
}

/* ---- what lory knows of it ----------------------------------------------------------------- */

/* The findings of one kind under one label; `shown`: their names, or else their texts. */
static void put_findings(page *p, const char *title, lory_finding_kind kind)
{
    const inspection *x = p->x;
    bool is_first = true;
    for (size_t i = 0; i < x->n_finding; i++) {
        const inspect_finding *f = &x->finding[i];
        if (f->kind != kind) continue;
        label(p, is_first ? title : "");
        is_first = false;
        put_clean(p->out, (gguf_str){ f->name, strlen(f->name) }, 2 * MAX_TEXT);
        if (f->n > 1) buf_printf(p->out, " (%zu)", f->n);
        buf_puts(p->out, *f->name && *f->text ? ": " : "");
        put_clean(p->out, (gguf_str){ f->text, strlen(f->text) }, 1024);
        buf_putc(p->out, '\n');
    }
}

static void put_support(page *p)
{
    const inspection *x = p->x;
    bool runs = inspect_runs(x);
    if (x->g.n_tensors == 0 || (runs && x->n_finding == 0)) return;
    heading(p, runs ? "Not used" : "What lory does not know");
    put_findings(p, "architecture", LORY_UNKNOWN_ARCH);
    put_findings(p, "tensor types", LORY_UNKNOWN_TYPE);
    put_findings(p, "tensors", LORY_UNKNOWN_TENSOR);
    put_findings(p, "tokenizer", LORY_UNKNOWN_TOKENIZER);
    put_findings(p, "values", LORY_UNKNOWN_OTHER);
    put_findings(p, runs ? "keys" : "unused keys", LORY_UNUSED_KEY);
    if (!runs && x->n_finding == 0) { /* opening says it, and for memory the section of that */
        label(p, "error");
        put_clean(p->out, (gguf_str){ x->plan_err.text, strlen(x->plan_err.text) }, 1024);
        buf_putc(p->out, '\n');
    }
}

static void put_plan(page *p)
{
    const inspection *x = p->x;
    if (x->n_step == 0) return;
    heading(p, "Plan");
    for (size_t i = 0; i < x->n_step; i++) {
        const inspect_step *s = &x->step[i];
        bool is_first = i == 0 || s[-1].first_layer != s->first_layer;
        if (is_first && s->first_layer >= 0 && s->last_layer > s->first_layer)
            buf_printf(p->out, "  layers %d to %d, each\n", s->first_layer, s->last_layer);
        else if (is_first && s->first_layer >= 0)
            buf_printf(p->out, "  layer %d\n", s->first_layer);
        buf_printf(p->out, "  %s%s\n", s->first_layer >= 0 ? "  " : "", s->text);
    }
}

/* ---- metadata ---------------------------------------------------------------------------- */

static void put_number(buf *out, const gguf_kv *kv, uint64_t i)
{
    json_writer w = { out, false };
    switch (kv->elem) {
    case GGUF_BOOL: buf_puts(out, gguf_int_at(kv, i) ? "true" : "false"); break;
    case GGUF_F32: json_put_f32(&w, (float)gguf_float_at(kv, i)); break;
    case GGUF_F64: json_put_f64(&w, gguf_float_at(kv, i)); break;
    case GGUF_U64: buf_printf(out, "%" PRIu64, (uint64_t)gguf_int_at(kv, i)); break;
    default: buf_printf(out, "%" PRId64, gguf_int_at(kv, i));
    }
}

static void put_array(buf *out, const gguf_kv *kv)
{
    gguf_str s;
    gguf_str_iter it = gguf_strings(kv);
    uint64_t n_shown = kv->n < N_FIRST ? kv->n : N_FIRST;
    buf_putc(out, '[');
    for (uint64_t i = 0; i < n_shown; i++) {
        buf_puts(out, i ? ", " : "");
        if (kv->elem != GGUF_STR)
            put_number(out, kv, i);
        else if (gguf_next(&it, &s))
            put_clean(out, s, 12);
    }
    if (kv->n > n_shown)
        buf_printf(out, ", ...] %" PRIu64 " of %s", kv->n, gguf_type_name(kv->elem));
    else
        buf_putc(out, ']');
}

static void put_metadata(page *p)
{
    const gguf *g = &p->x->g;
    heading(p, "Metadata");
    for (size_t i = 0; i < g->n_kv; i++) {
        const gguf_kv *kv = &g->kv[i];
        gguf_str s;
        buf_puts(p->out, "  ");
        put_clean(p->out, kv->key, 2 * MAX_TEXT);
        buf_printf(p->out, "%*s", kv->key.n < KEY_WIDTH ? KEY_WIDTH - (int)kv->key.n : 1, "");
        gguf_str_iter it = gguf_strings(kv);
        if (kv->type == GGUF_ARR)
            put_array(p->out, kv);
        else if (gguf_next(&it, &s))
            put_clean(p->out, s, MAX_TEXT);
        else
            put_number(p->out, kv, 0);
        buf_putc(p->out, '\n');
    }
}

/* ---- memory ------------------------------------------------------------------------------ */

static void put_memory(page *p)
{
    const lory_memory_plan *m = &p->x->plan;
    char text[32];
    heading(p, "Memory");
    if (!p->x->has_plan) {
        buf_printf(p->out, "  not known: %s\n", p->x->plan_err.text);
        return;
    }
    buf_printf(p->out, "  for a context of %d token%s%s, batches of %d, %d thread%s\n", m->n_ctx,
               plural((uint64_t)m->n_ctx), m->n_ctx_lowered ? " (lowered to fit)" : "", m->n_batch,
               m->n_threads, plural((uint64_t)m->n_threads));
    buf_printf(p->out, "  %-12s %12s  mapped from the file\n", "weights",
               bytes(m->weights_bytes, text));
    if (m->lora_bytes)
        buf_printf(p->out, "  %-12s %12s  mapped\n", "adapters", bytes(m->lora_bytes, text));
    buf_printf(p->out, "  %-12s %12s  %s\n", "KV cache", bytes(m->kv_bytes, text),
               p->x->cache_type);
    if (m->state_bytes)
        buf_printf(p->out, "  %-12s %12s  of recurrent layers\n", "states",
                   bytes(m->state_bytes, text));
    buf_printf(p->out, "  %-12s %12s\n", "scratch", bytes(m->scratch_bytes, text));
    buf_printf(p->out, "  %-12s %12s  code, tokenizer, the file's header\n", "program",
               bytes(m->program_bytes, text));
    buf_printf(p->out, "  %-12s %12s", "total", bytes(m->total_bytes, text));
    buf_printf(p->out, "  of the %s there are%s\n", bytes(m->machine_bytes, text),
               m->total_bytes > m->machine_bytes ? ": too much" : "");
    buf_printf(p->out, "  %-12s %12d  tokens, the largest that fits\n", "context", m->n_ctx_fit);
}

void inspect_text(const inspection *x, bool is_bold, buf *out)
{
    page p = { x, out, is_bold };
    char size[32];
    put_clean(out, (gguf_str){ x->path, strlen(x->path) }, 4096);
    buf_printf(out, ": GGUF version %" PRIu32 ", %s\n", x->g.version,
               bytes(gguf_file_bytes(&x->g), size));
    put_model(&p);
    put_tokenizer(&p);
    put_weights(&p);
    put_support(&p);
    put_plan(&p);
    put_memory(&p);
    put_metadata(&p);
    if (x->with_tensors) put_tensors(&p);
}
