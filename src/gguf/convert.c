/* convert.c - see convert.h. */
#include "gguf/convert.h"
#include "base/err.h"
#include "base/mem.h"
#include "gguf/llama2c.h"
#include <inttypes.h>
#include <string.h>

/* ---- the output -------------------------------------------------------------------------- */

/* The keys that tell how the tensors are stored. */
static void put_type_keys(gguf_writer *w, qtype t, int file_type)
{
    if (t == RETYPE_KEEP) return;
    if (file_type >= 0) gguf_put_u32(w, "general.file_type", (uint32_t)file_type);
    if (qtypes[t].n_sub) gguf_put_u32(w, "general.quantization_version", 2);
}

/* All after the keys. Closes w. */
static bool finish(gguf_writer *w, const retype_job *job, lory_err *err)
{
    retype_announce(job, w);
    bool ok = gguf_begin_data(w, err) && retype_write(job, w, err) && gguf_commit(w, err);
    if (!ok) gguf_abandon(w);
    return ok;
}

/* ---- from a GGUF file -------------------------------------------------------------------- */

static bool is_type_key(gguf_str key)
{
    static const char made_with[] = "quantize.imatrix.";
    return gguf_str_is(key, "general.file_type") || gguf_str_is(key, "general.quantization_version")
           || (key.n > sizeof made_with && memcmp(key.s, made_with, sizeof made_with - 1) == 0);
}

/* What a file is one part of; the new file is whole. */
static bool is_part_key(gguf_str key)
{
    return gguf_str_is(key, "split.no") || gguf_str_is(key, "split.count")
           || gguf_str_is(key, "split.tensors.count");
}

/* Everything but what the new file has differently. */
static void put_old_keys(gguf_writer *w, const gguf *g, qtype type)
{
    for (size_t i = 0; i < g->n_kv; i++) {
        gguf_str key = g->kv[i].key;
        bool changes = gguf_str_is(key, "general.alignment") || is_part_key(key)
                       || (type != RETYPE_KEEP && is_type_key(key));
        if (!changes) gguf_put_kv(w, &g->kv[i]);
    }
}

/* What the importance was, under llama.cpp's keys. */
static void put_imatrix_keys(gguf_writer *w, const convert_params *p)
{
    if (!p->importance) return;
    gguf_put_str(w, "quantize.imatrix.file", p->importance->path);
    if (p->importance->dataset.n > 0)
        gguf_put_bytes(w, "quantize.imatrix.dataset", p->importance->dataset);
    gguf_put_u32(w, "quantize.imatrix.entries_count", (uint32_t)p->importance->n);
    if (p->importance->n_chunks > 0)
        gguf_put_u32(w, "quantize.imatrix.chunks_count", (uint32_t)p->importance->n_chunks);
}

static void forget_tensor(const void *source, const gguf_tensor *t)
{
    const gguf *g = source;
    gguf_forget(g, t->data, t->n_bytes);
}

/* types [n_tensors], or NULL: by p->type */
static bool write_gguf(const gguf *g, const convert_params *p, const qtype *types, lory_err *err)
{
    gguf_writer w;
    const mix_row *mix = p->mix ? p->mix->mix : NULL;
    qtype type = mix ? mix->type : p->type;
    retype_job job = { .tensors = g->tensors,
                       .n = g->n_tensors,
                       .type = type,
                       .types = types,
                       .importance = p->importance,
                       .done = forget_tensor,
                       .source = g,
                       .n_threads = p->n_threads,
                       .progress = p->progress,
                       .user = p->user };
    if (!retype_check(&job, err) || !gguf_create(&w, p->out, err)) return false;
    put_old_keys(&w, g, type);
    put_type_keys(&w, type, mix ? mix->file_type : retype_file_type(type));
    put_imatrix_keys(&w, p);
    return finish(&w, &job, err);
}

static bool write_mix(const gguf *g, const convert_params *p, lory_err *err)
{
    qtype *types = mem_new(g->n_tensors, sizeof *types);
    if (!types) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    bool ok = mix_choose(p->mix, g, types, err) && write_gguf(g, p, types, err);
    mem_free(types);
    return ok;
}

static bool convert_gguf(const char *src, const convert_params *p, lory_err *err)
{
    gguf g;
    if (!gguf_open_whole(&g, src, err)) return false;
    bool ok = p->mix ? write_mix(&g, p, err) : write_gguf(&g, p, NULL, err);
    gguf_close(&g);
    return ok;
}

/* ---- from a llama2.c checkpoint ---------------------------------------------------------- */

static void put_shape_keys(gguf_writer *w, const llama2c *c)
{
    gguf_put_u32(w, "llama.context_length", (uint32_t)c->n_ctx);
    gguf_put_u32(w, "llama.embedding_length", (uint32_t)c->n_embd);
    gguf_put_u32(w, "llama.block_count", (uint32_t)c->n_layer);
    gguf_put_u32(w, "llama.feed_forward_length", (uint32_t)c->n_ff);
    gguf_put_u32(w, "llama.attention.head_count", (uint32_t)c->n_head);
    gguf_put_u32(w, "llama.attention.head_count_kv", (uint32_t)c->n_kv_head);
    gguf_put_u32(w, "llama.rope.dimension_count", (uint32_t)(c->n_embd / c->n_head));
    gguf_put_f32(w, "llama.rope.freq_base", 10000.0f); /* run.c has both as constants */
    gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_put_u32(w, "llama.vocab_size", (uint32_t)c->n_vocab);
}

static void put_vocab_keys(gguf_writer *w, const llama2c_vocab *v)
{
    gguf_put_str(w, "tokenizer.ggml.model", "llama");
    gguf_put_str(w, "tokenizer.ggml.pre", "default");
    gguf_put_strs(w, "tokenizer.ggml.tokens", v->texts, v->n);
    gguf_put_f32s(w, "tokenizer.ggml.scores", v->scores, v->n);
    gguf_put_i32s(w, "tokenizer.ggml.token_type", v->types, v->n);
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 1);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 2);
    gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", 0);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
    gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
    gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", true);
}

/* The file's name without folders and its last suffix. */
static gguf_str name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return (gguf_str){ name, dot && dot > name ? (size_t)(dot - name) : strlen(name) };
}

static bool write_llama2c(const llama2c *c, const llama2c_vocab *v, const convert_params *p,
                          lory_err *err)
{
    gguf_writer w;
    qtype type = p->type == RETYPE_KEEP ? QT_F32 : p->type;
    retype_job job = { .tensors = c->tensors,
                       .n = c->n_tensors,
                       .type = type,
                       .row = llama2c_row,
                       .source = c,
                       .n_threads = p->n_threads,
                       .progress = p->progress,
                       .user = p->user };
    if (!gguf_create(&w, p->out, err)) return false;
    gguf_put_str(&w, "general.architecture", "llama");
    gguf_put_bytes(&w, "general.name", name_of(c->map.path));
    gguf_put_u32(&w, "general.alignment", GGUF_ALIGNMENT);
    put_type_keys(&w, type, retype_file_type(type));
    put_shape_keys(&w, c);
    put_vocab_keys(&w, v);
    return finish(&w, &job, err);
}

/* "DIR/tokenizer.bin" for a checkpoint DIR/x.bin; NULL when memory can't be had. */
static char *tokenizer_beside(const char *checkpoint)
{
    static const char name[] = "tokenizer.bin";
    const char *slash = strrchr(checkpoint, '/');
    size_t n_dir = slash ? (size_t)(slash - checkpoint) + 1 : 0;
    char *path = mem_new(n_dir + sizeof name, 1);
    if (!path) return NULL;
    memcpy(path, checkpoint, n_dir);
    memcpy(path + n_dir, name, sizeof name);
    return path;
}

static bool read_vocab(llama2c_vocab *v, const llama2c *c, const convert_params *p, lory_err *err)
{
    if (p->tokenizer) return llama2c_read_vocab(v, p->tokenizer, c->n_vocab, err);
    char *path = tokenizer_beside(c->map.path);
    bool ok = false;
    if (!path)
        err_set(err, LORY_E_MEMORY, "%s: out of memory", c->map.path);
    else if (!file_exists(path))
        err_set(err, LORY_E_IO, "%s: has no tokenizer.bin beside it; name it with --tokenizer",
                c->map.path);
    else
        ok = llama2c_read_vocab(v, path, c->n_vocab, err);
    mem_free(path);
    return ok;
}

static bool convert_llama2c(const char *src, const convert_params *p, lory_err *err)
{
    llama2c c;
    llama2c_vocab v = { 0 };
    if (!llama2c_open(&c, src, err)) return false;
    bool ok = read_vocab(&v, &c, p, err) && write_llama2c(&c, &v, p, err);
    llama2c_free_vocab(&v);
    llama2c_close(&c);
    return ok;
}

bool convert_file(const char *src, const convert_params *p, lory_err *err)
{
    file_map m;
    if (!file_map_open(&m, src, err)) return false;
    bool is_gguf = m.size >= 4 && memcmp(m.data, "GGUF", 4) == 0;
    file_map_close(&m);
    if (is_gguf && p->tokenizer)
        return err_set(err, LORY_E_ARGUMENT, "--tokenizer: a GGUF file has its own tokenizer");
    return is_gguf || p->mix ? convert_gguf(src, p, err) : convert_llama2c(src, p, err);
}
