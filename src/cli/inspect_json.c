/* inspect_json.c - a weight file as one JSON object; see inspect.h.
 *
 * {"file", "size_bytes", "version", "alignment", "arch", "name", "n_params", "n_tensors",
 *  "tensor_bytes", "types": [{"type", "n_tensors", "n_params", "n_bytes"}], "tokenizer": {...} or
 *  null, "metadata": {key: value}, "runs": bool, "findings": [{"kind", "name", "text", "n"}],
 *  "plan": [{"layers": [first, last] or null, "step"}], "memory": {...} or null, "memory_error",
 *  "tensors": [...]}
 * An array of more than MAX_ARRAY values is {"array": type, "n", "first": [...]}. */
#include "cli/inspect.h"
#include "text/json.h"
#include <string.h>

enum { MAX_ARRAY = 16, N_FIRST = 8 };

static void put_str(json_writer *w, const char *key, gguf_str s)
{
    json_member_bytes(w, key, s.s, s.n);
}

/* ---- metadata ---------------------------------------------------------------------------- */

static void put_number(json_writer *w, const gguf_kv *kv, uint64_t i)
{
    switch (kv->elem) {
    case GGUF_BOOL: json_put_bool(w, gguf_int_at(kv, i) != 0); break;
    case GGUF_F32: json_put_f32(w, (float)gguf_float_at(kv, i)); break;
    case GGUF_F64: json_put_f64(w, gguf_float_at(kv, i)); break;
    case GGUF_U64:
        if (gguf_int_at(kv, i) < 0)
            json_put_f64(w, gguf_float_at(kv, i)); /* beyond an int64 */
        else
            json_put_int(w, gguf_int_at(kv, i));
        break;
    default: json_put_int(w, gguf_int_at(kv, i));
    }
}

static void put_values(json_writer *w, const gguf_kv *kv, uint64_t n)
{
    gguf_str s;
    gguf_str_iter it = gguf_strings(kv);
    for (uint64_t i = 0; i < n; i++) {
        if (kv->elem != GGUF_STR)
            put_number(w, kv, i);
        else if (gguf_next(&it, &s))
            json_put_bytes(w, s.s, s.n);
    }
}

static void put_array(json_writer *w, const gguf_kv *kv)
{
    bool is_long = kv->n > MAX_ARRAY;
    if (is_long) {
        json_begin_object(w);
        json_member_str(w, "array", gguf_type_name(kv->elem));
        json_member_int(w, "n", kv->n);
        json_put_key(w, "first");
    }
    json_begin_array(w);
    put_values(w, kv, is_long ? N_FIRST : kv->n);
    json_end_array(w);
    if (is_long) json_end_object(w);
}

/* A key may be any UTF-8, and is not NUL-terminated in the file. */
static void put_metadata_key(json_writer *w, gguf_str key)
{
    buf text = { 0 };
    buf_put(&text, key.s, key.n);
    if (text.failed)
        w->out->failed = true;
    else
        json_put_key(w, text.data);
    buf_free(&text);
}

static void put_metadata(json_writer *w, const gguf *g)
{
    json_open_object(w, "metadata");
    for (size_t i = 0; i < g->n_kv; i++) {
        put_metadata_key(w, g->kv[i].key);
        if (g->kv[i].type == GGUF_ARR)
            put_array(w, &g->kv[i]);
        else
            put_values(w, &g->kv[i], 1);
    }
    json_end_object(w);
}

/* ---- parts ------------------------------------------------------------------------------- */

static void put_types(json_writer *w, const inspection *x)
{
    json_open_array(w, "types");
    for (int i = 0; i < QT_COUNT; i++) {
        if (x->use[i].n_tensors == 0) continue;
        json_begin_object(w);
        json_member_str(w, "type", qtypes[i].name);
        json_member_int(w, "n_tensors", x->use[i].n_tensors);
        json_member_int(w, "n_params", x->use[i].n_elems);
        json_member_int(w, "n_bytes", x->use[i].n_bytes);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_token_id(json_writer *w, const gguf *g, const char *name, const char *key)
{
    uint64_t id;
    if (gguf_find(g, key) && gguf_get_uint(g, key, UINT32_MAX, &id, NULL))
        json_member_int(w, name, id);
}

static void put_tokenizer(json_writer *w, const gguf *g)
{
    const gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    const gguf_kv *merges = gguf_find(g, "tokenizer.ggml.merges");
    json_put_key(w, "tokenizer");
    if (!tokens) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    put_str(w, "model", inspect_str(g, "tokenizer.ggml.model"));
    put_str(w, "pre", inspect_str(g, "tokenizer.ggml.pre"));
    json_member_int(w, "n_tokens", tokens->n);
    json_member_int(w, "n_merges", merges ? merges->n : 0);
    put_token_id(w, g, "bos", "tokenizer.ggml.bos_token_id");
    put_token_id(w, g, "eos", "tokenizer.ggml.eos_token_id");
    json_member_bool(w, "has_chat_template", gguf_find(g, "tokenizer.chat_template") != NULL);
    json_end_object(w);
}

static void put_memory(json_writer *w, const inspection *x)
{
    json_put_key(w, "memory");
    if (!x->has_plan) {
        json_put_null(w);
        json_member_str(w, "memory_error", x->plan_err.text);
        return;
    }
    json_begin_object(w);
    json_member_int(w, "weights_bytes", x->plan.weights_bytes);
    json_member_int(w, "lora_bytes", x->plan.lora_bytes);
    json_member_int(w, "kv_bytes", x->plan.kv_bytes);
    json_member_int(w, "state_bytes", x->plan.state_bytes);
    json_member_int(w, "scratch_bytes", x->plan.scratch_bytes);
    json_member_int(w, "program_bytes", x->plan.program_bytes);
    json_member_int(w, "total_bytes", x->plan.total_bytes);
    json_member_int(w, "machine_bytes", x->plan.machine_bytes);
    json_member_int(w, "n_ctx", (uint64_t)x->plan.n_ctx);
    json_member_int(w, "n_ctx_fit", (uint64_t)x->plan.n_ctx_fit);
    json_member_int(w, "n_batch", (uint64_t)x->plan.n_batch);
    json_member_int(w, "n_threads", (uint64_t)x->plan.n_threads);
    json_member_bool(w, "n_ctx_lowered", x->plan.n_ctx_lowered);
    json_member_str(w, "cache_type", x->cache_type);
    json_end_object(w);
}

static const char *const finding_names[] = {
    [LORY_UNKNOWN_ARCH] = "architecture",   [LORY_UNKNOWN_TYPE] = "tensor_type",
    [LORY_UNKNOWN_TENSOR] = "tensor",       [LORY_UNKNOWN_TOKENIZER] = "tokenizer",
    [LORY_UNKNOWN_OTHER] = "value",         [LORY_UNUSED_KEY] = "unused_key",
};

static void put_support(json_writer *w, const inspection *x)
{
    json_member_bool(w, "runs", inspect_runs(x));
    json_open_array(w, "findings");
    for (size_t i = 0; i < x->n_finding; i++) {
        const inspect_finding *f = &x->finding[i];
        json_begin_object(w);
        json_member_str(w, "kind", finding_names[f->kind]);
        put_str(w, "name", (gguf_str){ f->name, strlen(f->name) });
        put_str(w, "text", (gguf_str){ f->text, strlen(f->text) });
        json_member_int(w, "n", f->n);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_plan(json_writer *w, const inspection *x)
{
    json_open_array(w, "plan");
    for (size_t i = 0; i < x->n_step; i++) {
        json_begin_object(w);
        json_put_key(w, "layers");
        if (x->step[i].first_layer < 0) {
            json_put_null(w);
        } else {
            json_begin_array(w);
            json_put_int(w, x->step[i].first_layer);
            json_put_int(w, x->step[i].last_layer);
            json_end_array(w);
        }
        json_member_str(w, "step", x->step[i].text);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_tensors(json_writer *w, const gguf *g)
{
    char type[32];
    json_open_array(w, "tensors");
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        json_begin_object(w);
        put_str(w, "name", t->name);
        json_member_str(w, "type", inspect_type_name(t, type));
        json_open_array(w, "shape");
        for (int k = 0; k < t->n_dims; k++) json_put_int(w, t->ne[k]);
        json_end_array(w);
        json_member_int(w, "offset", t->offset);
        json_member_int(w, "n_bytes", t->n_bytes);
        json_end_object(w);
    }
    json_end_array(w);
}

void inspect_json(const inspection *x, buf *out)
{
    const gguf *g = &x->g;
    json_writer w = { out, false };
    json_begin_object(&w);
    json_member_bytes(&w, "file", x->path, strlen(x->path));
    json_member_int(&w, "size_bytes", gguf_file_bytes(g));
    json_member_int(&w, "version", g->version);
    json_member_int(&w, "alignment", g->alignment);
    put_str(&w, "arch", inspect_str(g, "general.architecture"));
    put_str(&w, "name", inspect_str(g, "general.name"));
    json_member_int(&w, "n_params", x->n_params);
    json_member_int(&w, "n_tensors", g->n_tensors);
    json_member_int(&w, "tensor_bytes", g->tensor_bytes);
    put_types(&w, x);
    put_tokenizer(&w, g);
    put_metadata(&w, g);
    put_support(&w, x);
    put_plan(&w, x);
    put_memory(&w, x);
    if (x->with_tensors) put_tensors(&w, g);
    json_end_object(&w);
    buf_putc(out, '\n');
}
