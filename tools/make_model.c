/* make_model.c - makes GGUF models of known shapes with random weights, for tests of speed, memory
 * and loading. The same shape, type and seed give the same bytes.
 *
 *     make_model --shape tiny|15m|135m|1b|7b|moe [--type q4_0] [--ctx N] [--seed N] -o FILE
 *
 * N of --ctx is the context that the model is said to be trained for.
 *
 * The vocabulary is of SentencePiece's kind: three markers, the 256 bytes, then all short words in
 * order. Weights are uniform with variance 1 / row length, so activations keep their size. So that
 * large files are written as fast as the disk takes them, a matrix row is one of N_POOL rows that
 * were made and quantised once, rotated by a random number of blocks. */
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "common/llama_file.h"
#include "gguf/retype.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    llama_shape s;
    bool has_output; /* a matrix of its own, not the embedding */
    int n_expert, n_expert_used; /* 0: none */
} shape;

static const shape shapes[] = {
    { "tiny", { 256, 2, 8, 4, 512, 512, 256, 10000, 1e-5f }, false, 0, 0 },
    { "15m", { 288, 6, 6, 6, 768, 32000, 256, 10000, 1e-5f }, false, 0, 0 },
    { "135m", { 576, 30, 9, 3, 1536, 49152, 2048, 10000, 1e-5f }, false, 0, 0 },
    { "1b", { 2048, 16, 32, 8, 8192, 128256, 8192, 500000, 1e-5f }, false, 0, 0 },
    { "7b", { 4096, 32, 32, 32, 11008, 32000, 4096, 10000, 1e-5f }, true, 0, 0 },
    { "moe", { 2048, 12, 32, 4, 768, 32000, 8192, 10000, 1e-5f }, true, 64, 8 },
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0], N_POOL = 256 };

typedef struct {
    const shape *shape;
    qtype type;
    int n_ctx; /* 0: the shape's */
    uint64_t seed;
    const char *out;
} options;

/* Streams of random numbers, kept apart. */
enum { FOR_POOL, FOR_PICK, FOR_TURN, FOR_VECTOR };

/* ---- vocabulary -------------------------------------------------------------------------- */

enum { WORD_BYTES = 16, N_MARKERS = 3, N_BYTES = 256, N_LETTERS = 26 };

/* Word number i: one letter, then two, three ..., each length first without and then with U+2581
 * in front, as the start of a word. */
static void make_word(int i, char out[WORD_BYTES])
{
    int n_letters = 0, n = 1; /* letters of a word, words of that length */
    while (i >= 2 * n) {
        i -= 2 * n;
        n *= N_LETTERS;
        n_letters++;
    }
    char *at = out;
    if (n_letters == 0) { /* the only words without letters: U+2581, and "." */
        strcpy(out, i == 0 ? "\xe2\x96\x81" : ".");
        return;
    }
    if (i >= n) {
        memcpy(at, "\xe2\x96\x81", 3);
        at += 3;
        i -= n;
    }
    at[n_letters] = '\0';
    for (int k = n_letters; k-- > 0; i /= N_LETTERS) at[k] = (char)('a' + i % N_LETTERS);
}

static void make_token(int id, char text[WORD_BYTES], int32_t *type)
{
    static const char *const markers[N_MARKERS] = { "<unk>", "<s>", "</s>" };
    *type = id == 0 ? 2 : id < N_MARKERS ? 3 : id < N_MARKERS + N_BYTES ? 6 : 1;
    if (id < N_MARKERS)
        strcpy(text, markers[id]);
    else if (id < N_MARKERS + N_BYTES)
        snprintf(text, WORD_BYTES, "<0x%02X>", (unsigned)(id - N_MARKERS) & 255);
    else
        make_word(id - N_MARKERS - N_BYTES, text);
}

static bool put_vocab(gguf_writer *w, int n_vocab, lory_err *err)
{
    size_t n = (size_t)n_vocab;
    char(*words)[WORD_BYTES] = mem_new(n, WORD_BYTES);
    gguf_str *texts = mem_new(n, sizeof *texts);
    float *scores = mem_new(n, sizeof *scores);
    int32_t *types = mem_new(n, sizeof *types);
    bool ok = words && texts && scores && types;
    for (int i = 0; ok && i < n_vocab; i++) {
        make_token(i, words[i], &types[i]);
        texts[i] = (gguf_str){ words[i], strlen(words[i]) };
        scores[i] = types[i] == 1 ? (float)-i : 0.0f;
    }
    if (ok) {
        gguf_put_str(w, "tokenizer.ggml.model", "llama");
        gguf_put_str(w, "tokenizer.ggml.pre", "default");
        gguf_put_strs(w, "tokenizer.ggml.tokens", texts, n);
        gguf_put_f32s(w, "tokenizer.ggml.scores", scores, n);
        gguf_put_i32s(w, "tokenizer.ggml.token_type", types, n);
    } else
        err_set(err, LORY_E_MEMORY, "make_model: out of memory for %d tokens", n_vocab);
    mem_free(words);
    mem_free(texts);
    mem_free(scores);
    mem_free(types);
    return ok;
}

/* ---- keys -------------------------------------------------------------------------------- */

static void put_keys(gguf_writer *w, const options *o)
{
    gguf_put_str(w, "general.architecture", "llama");
    gguf_put_str(w, "general.name", o->shape->name);
    gguf_put_str(w, "general.description", "random weights");
    if (retype_file_type(o->type) >= 0)
        gguf_put_u32(w, "general.file_type", (uint32_t)retype_file_type(o->type));
    if (qtypes[o->type].n_sub) gguf_put_u32(w, "general.quantization_version", 2);
    llama_shape s = o->shape->s;
    if (o->n_ctx > 0) s.n_ctx = o->n_ctx;
    llama_put_keys(w, &s);
    if (o->shape->n_expert > 0) {
        gguf_put_u32(w, "llama.expert_count", (uint32_t)o->shape->n_expert);
        gguf_put_u32(w, "llama.expert_used_count", (uint32_t)o->shape->n_expert_used);
    }
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 1);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 2);
    gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", 0);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
}

/* ---- tensors ----------------------------------------------------------------------------- */

typedef struct {
    const options *o;
    gguf_writer *w;
    bool is_announcing;  /* else writing */
    uint64_t i_row;      /* rows written so far, in all tensors */
    unsigned char *pool; /* [N_POOL] rows of pool_type, pool_n elements each */
    qtype pool_type;
    int64_t pool_n;
    lory_err *err;
} maker;

static float uniform(uint64_t seed, uint64_t at, uint64_t stream)
{
    return (float)(2.0 * rng_uniform_at(seed, at, stream) - 1.0);
}

/* The pool for rows of n elements of that type, kept until another is asked for. */
static bool need_pool(maker *m, qtype type, int64_t n)
{
    if (m->pool && m->pool_type == type && m->pool_n == n) return true;
    size_t row_bytes = qtype_row_bytes(type, n);
    float scale = sqrtf(3.0f / (float)n);
    mem_free(m->pool);
    m->pool = mem_new(N_POOL, row_bytes);
    float *row = mem_new((size_t)n, sizeof *row);
    bool ok = m->pool && row;
    for (int i = 0; ok && i < N_POOL; i++) {
        for (int64_t k = 0; k < n; k++)
            row[k] = scale * uniform(m->o->seed, (uint64_t)(i * n + k), FOR_POOL);
        qtypes[type].from_f32(n, row, NULL, m->pool + (size_t)i * row_bytes);
    }
    m->pool_type = type, m->pool_n = n;
    mem_free(row);
    return ok || err_set(m->err, LORY_E_MEMORY, "make_model: out of memory for rows");
}

static bool write_matrix(maker *m, qtype type, const int64_t ne[3])
{
    if (!need_pool(m, type, ne[0])) return false;
    size_t row_bytes = qtype_row_bytes(type, ne[0]), block_bytes = (size_t)qtypes[type].block_bytes;
    for (int64_t i = 0; i < ne[1] * ne[2]; i++, m->i_row++) {
        uint64_t pick = rng_at(m->o->seed, m->i_row, FOR_PICK) % N_POOL;
        uint64_t turn =
            rng_at(m->o->seed, m->i_row, FOR_TURN) % (row_bytes / block_bytes) * block_bytes;
        const unsigned char *row = m->pool + pick * row_bytes;
        if (!gguf_write_data(m->w, row + turn, row_bytes - (size_t)turn, m->err)
            || !gguf_write_data(m->w, row, (size_t)turn, m->err))
            return false;
    }
    return true;
}

/* A norm's weights, about 1. */
static bool write_vector(maker *m, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float x = 1.0f + 0.1f * uniform(m->o->seed, m->i_row * 65536 + (uint64_t)i, FOR_VECTOR);
        if (!gguf_write_data(m->w, &x, sizeof x, m->err)) return false;
    }
    m->i_row++;
    return true;
}

/* Announces or writes a tensor. Where there are experts each has feed-forward matrices. */
static bool put_tensor(maker *m, const llama_tensor *x)
{
    char name[sizeof x->name + 8];
    const char *part = strstr(x->name, ".ffn_"), *end = strstr(x->name, ".weight");
    bool is_expert = m->o->shape->n_expert > 0 && part && x->n_rows > 0 && !strstr(part, "_inp");
    snprintf(name, sizeof name, "%.*s%s%s", (int)(end - x->name), x->name,
             is_expert ? "_exps" : "", end);
    gguf_tensor t = { .name = { name, strlen(name) },
                      .n_dims = is_expert ? 3 : x->n_rows ? 2 : 1,
                      .ne = { x->n_cols, x->n_rows ? x->n_rows : 1,
                              is_expert ? m->o->shape->n_expert : 1, 1 } };
    t.type = retype_choice(&t, m->o->type);
    if (m->is_announcing) {
        gguf_add_tensor(m->w, t.name, t.type, t.n_dims, t.ne);
        return true;
    }
    return t.n_dims == 1 ? write_vector(m, t.ne[0]) : write_matrix(m, t.type, t.ne);
}

/* The matrices that choose experts. */
static bool put_routers(maker *m)
{
    const shape *s = m->o->shape;
    llama_tensor t = { .n_rows = s->n_expert, .n_cols = s->s.n_embd };
    bool ok = true;
    for (int i = 0; ok && s->n_expert > 0 && i < s->s.n_layer; i++) {
        snprintf(t.name, sizeof t.name, "blk.%d.ffn_gate_inp.weight", i);
        ok = put_tensor(m, &t);
    }
    return ok;
}

static bool put_tensors(maker *m)
{
    const llama_shape *s = &m->o->shape->s;
    const llama_tensor output = { "output.weight", s->n_vocab, s->n_embd, 0 };
    llama_tensor t;
    bool ok = true;
    for (int i = 0; ok && llama_tensor_at(s, i, &t); i++) ok = put_tensor(m, &t);
    return ok && put_routers(m) && (!m->o->shape->has_output || put_tensor(m, &output));
}

static bool make(const options *o, lory_err *err)
{
    gguf_writer w;
    maker m = { .o = o, .w = &w, .is_announcing = true, .err = err };
    if (!gguf_create(&w, o->out, err)) return false;
    put_keys(&w, o);
    bool ok =
        put_vocab(&w, o->shape->s.n_vocab, err) && put_tensors(&m) && gguf_begin_data(&w, err);
    m.is_announcing = false;
    ok = ok && put_tensors(&m) && gguf_commit(&w, err);
    if (!ok) gguf_abandon(&w);
    mem_free(m.pool);
    return ok;
}

/* ---- command line ------------------------------------------------------------------------ */

static int usage(const char *what)
{
    fprintf(stderr,
            "make_model: %s\nusage: make_model --shape NAME [--type TYPE] [--ctx N] [--seed N] -o "
            "FILE\nshapes:",
            what);
    for (int i = 0; i < N_SHAPES; i++) fprintf(stderr, " %s", shapes[i].name);
    fprintf(stderr, "\ntypes:");
    for (int i = 0; i < QT_COUNT; i++) fprintf(stderr, " %s", qtypes[i].name);
    fputc('\n', stderr);
    return 2;
}

static const shape *find_shape(const char *name)
{
    for (int i = 0; i < N_SHAPES; i++)
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
    return NULL;
}

static bool set_option(options *o, const char *name, const char *value)
{
    char *end = NULL;
    if (strcmp(name, "--shape") == 0) return (o->shape = find_shape(value)) != NULL;
    if (strcmp(name, "-o") == 0) return *(o->out = value) != '\0';
    if (strcmp(name, "--seed") == 0) return o->seed = strtoull(value, &end, 10), *value && !*end;
    if (strcmp(name, "--ctx") == 0) {
        long n = strtol(value, &end, 10);
        o->n_ctx = (int)n;
        return *value && !*end && n > 0 && n <= INT32_MAX;
    }
    if (strcmp(name, "--type") != 0) return false;
    o->type = qtype_from_name(value);
    return o->type != QT_COUNT;
}

int main(int argc, char **argv)
{
    options o = { .type = QT_F32 };
    lory_err err;
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !set_option(&o, argv[i], argv[i + 1])) return usage(argv[i]);
    if (!o.shape || !o.out) return usage("--shape and -o are needed");
    if (make(&o, &err)) return 0;
    fprintf(stderr, "make_model: %s\n", err.text);
    return 1;
}
