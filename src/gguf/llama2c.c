/* llama2c.c - see llama2c.h. */
#include "gguf/llama2c.h"
#include "base/bytes.h"
#include "base/err.h"
#include "gguf/sniff.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    V0_HEADER_BYTES = 28,
    V1_HEADER_BYTES = 256,
    NAME_BYTES = 40,
    MAX_DIM = 1 << 20, /* larger numbers in a header are garbage; products of them fit 64 bits */
    MAX_LAYERS = 1 << 16,
};

typedef enum {
    EMBD,
    ATTN_NORM,
    ATTN_Q,
    ATTN_K,
    ATTN_V,
    ATTN_OUT,
    FFN_NORM,
    FFN_GATE,
    FFN_DOWN,
    FFN_UP,
    OUT_NORM,
    ROPE_TABLES,
    OUTPUT,
    PART_COUNT
} part;

static const struct {
    const char *name; /* GGUF's, with the layer; NULL: not a tensor of the model */
    bool is_per_layer, is_matrix;
} parts[PART_COUNT] = {
    [EMBD] = { "token_embd.weight", false, true },
    [ATTN_NORM] = { "blk.%d.attn_norm.weight", true, false },
    [ATTN_Q] = { "blk.%d.attn_q.weight", true, true },
    [ATTN_K] = { "blk.%d.attn_k.weight", true, true },
    [ATTN_V] = { "blk.%d.attn_v.weight", true, true },
    [ATTN_OUT] = { "blk.%d.attn_output.weight", true, true },
    [FFN_NORM] = { "blk.%d.ffn_norm.weight", true, false },
    [FFN_GATE] = { "blk.%d.ffn_gate.weight", true, true }, /* w1 */
    [FFN_DOWN] = { "blk.%d.ffn_down.weight", true, true }, /* w2 */
    [FFN_UP] = { "blk.%d.ffn_up.weight", true, true },     /* w3 */
    [OUT_NORM] = { "output_norm.weight", false, false },
    [ROPE_TABLES] = { NULL, false, false },
    [OUTPUT] = { "output.weight", false, true },
};

/* The order of the parts in the file. */
static const part order_v0[] = { EMBD,     ATTN_NORM,   ATTN_Q,   ATTN_K,    ATTN_V,
                                 ATTN_OUT, FFN_NORM,    FFN_GATE, FFN_DOWN,  FFN_UP,
                                 OUT_NORM, ROPE_TABLES, OUTPUT,   PART_COUNT };
static const part order_v1[] = { ATTN_NORM, FFN_NORM, OUT_NORM, EMBD,   ATTN_Q, ATTN_K,    ATTN_V,
                                 ATTN_OUT,  FFN_GATE, FFN_DOWN, FFN_UP, OUTPUT, PART_COUNT };
/* The order in which we list them. */
static const part order_block[] = { ATTN_NORM, ATTN_Q,   ATTN_K,   ATTN_V, ATTN_OUT,
                                    FFN_NORM,  FFN_GATE, FFN_DOWN, FFN_UP };
enum { N_BLOCK_PARTS = sizeof order_block / sizeof order_block[0] };

/* ---- header ------------------------------------------------------------------------------ */

static bool check_field(const llama2c *c, const char *name, int64_t v, int64_t max, lory_err *err)
{
    if (v >= 1 && v <= max) return true;
    return err_set(err, LORY_E_FORMAT,
                   "%s: the llama2.c header has %s %" PRId64 " (expected 1 to %" PRId64 ")",
                   c->map.path, name, v, max);
}

/* The seven numbers at p; n_vocab comes without its sign. */
static bool read_fields(llama2c *c, const unsigned char *p, lory_err *err)
{
    int64_t v[7];
    for (int i = 0; i < 7; i++) v[i] = (int32_t)bytes_u32(p + 4 * i);
    if (c->version == 0 && v[5] < 0) v[5] = -v[5];
    if (!check_field(c, "dim", v[0], MAX_DIM, err)
        || !check_field(c, "hidden_dim", v[1], MAX_DIM, err)
        || !check_field(c, "n_layers", v[2], MAX_LAYERS, err)
        || !check_field(c, "n_heads", v[3], v[0], err)
        || !check_field(c, "n_kv_heads", v[4], v[3], err)
        || !check_field(c, "vocab_size", v[5], 1 << 24, err)
        || !check_field(c, "seq_len", v[6], 1 << 30, err))
        return false;
    if (v[0] % (2 * v[3]) || v[3] % v[4])
        return err_set(
            err, LORY_E_FORMAT,
            "%s: the llama2.c header has dim %d, n_heads %d, n_kv_heads %d, which do not divide "
            "each other into heads of even size",
            c->map.path, (int)v[0], (int)v[3], (int)v[4]);
    c->n_embd = (int)v[0], c->n_ff = (int)v[1], c->n_layer = (int)v[2], c->n_head = (int)v[3];
    c->n_kv_head = (int)v[4], c->n_vocab = (int)v[5], c->n_ctx = (int)v[6];
    return true;
}

static bool read_header_v1(llama2c *c, lory_err *err)
{
    const unsigned char *d = c->map.data;
    if (c->map.size < V1_HEADER_BYTES)
        return err_set(err, LORY_E_FORMAT, "%s: cut short in the llama2.c header (%zu bytes of %d)",
                       c->map.path, c->map.size, V1_HEADER_BYTES);
    uint32_t version = bytes_u32(d + 4);
    if (version != 1 && version != 2)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: is a llama2.c checkpoint of version %" PRIu32
                       " (lory reads 0, 1 and 2)",
                       c->map.path, version);
    c->version = (int)version;
    if (!read_fields(c, d + 8, err)) return false;
    if (d[36] > 1)
        return err_set(err, LORY_E_FORMAT,
                       "%s: the llama2.c header has shared_classifier %d (expected 0 or 1)",
                       c->map.path, d[36]);
    c->has_output = d[36] == 0;
    if (version == 1) return true;
    int64_t group_size = (int32_t)bytes_u32(d + 37);
    c->group_size = (int)group_size;
    return check_field(c, "group_size", group_size, MAX_DIM, err);
}

static bool read_header(llama2c *c, lory_err *err)
{
    const unsigned char *d = c->map.data;
    if (c->map.size >= 4 && memcmp(d, "24ka", 4) == 0) return read_header_v1(c, err);
    const char *what = sniff_format(d, c->map.size);
    if (what && !strstr(what, "llama2.c"))
        return err_set(err, LORY_E_FORMAT, "%s: is %s", c->map.path, what);
    if (c->map.size < V0_HEADER_BYTES)
        return err_set(err, LORY_E_FORMAT,
                       "%s: is too short for a llama2.c checkpoint (%zu byte%s)", c->map.path,
                       c->map.size, plural(c->map.size));
    if (!what)
        return err_set(err, LORY_E_FORMAT,
                       "%s: is neither a GGUF file nor a llama2.c checkpoint (it starts with bytes "
                       "%02x %02x %02x %02x)",
                       c->map.path, d[0], d[1], d[2], d[3]);
    c->version = 0;
    c->has_output = (int32_t)bytes_u32(d + 20) < 0;
    return read_fields(c, d, err);
}

/* ---- tensors ----------------------------------------------------------------------------- */

/* ne[0] x ne[1] elements, of one layer. */
static void shape_of(const llama2c *c, part p, int64_t ne[2])
{
    int64_t head_dim = c->n_embd / c->n_head, n_kv = head_dim * c->n_kv_head;
    ne[0] = p == FFN_DOWN ? c->n_ff : p == ROPE_TABLES ? head_dim : c->n_embd;
    switch (p) {
    case EMBD:
    case OUTPUT: ne[1] = c->n_vocab; break;
    case ATTN_Q:
    case ATTN_OUT:
    case FFN_DOWN: ne[1] = c->n_embd; break;
    case ATTN_K:
    case ATTN_V: ne[1] = n_kv; break;
    case FFN_GATE:
    case FFN_UP: ne[1] = c->n_ff; break;
    case ROPE_TABLES: ne[1] = c->n_ctx; break; /* n_ctx x head_dim/2 cosines, as many sines */
    default: ne[1] = 1; break;
    }
}

/* Bytes of one layer's share of a part; at most 2^44 elements. */
static uint64_t part_bytes(const llama2c *c, part p)
{
    int64_t ne[2];
    shape_of(c, p, ne);
    uint64_t n = (uint64_t)ne[0] * (uint64_t)ne[1];
    if (c->version == 2 && parts[p].is_matrix) return n + n / (uint64_t)c->group_size * 4;
    return 4 * n;
}

static bool check_groups(const llama2c *c, part p, lory_err *err)
{
    int64_t ne[2];
    shape_of(c, p, ne);
    if (c->version != 2 || !parts[p].is_matrix || ne[0] * ne[1] % c->group_size == 0) return true;
    return err_set(
        err, LORY_E_FORMAT,
        "%s: the llama2.c header has group_size %d, which does not divide a tensor of %" PRId64
        " x %" PRId64,
        c->map.path, c->group_size, ne[0], ne[1]);
}

/* Finds where each part begins and holds the sum against the size of the file. */
static bool place_parts(const llama2c *c, uint64_t begin[PART_COUNT], lory_err *err)
{
    uint64_t at = c->version == 0 ? V0_HEADER_BYTES : V1_HEADER_BYTES;
    for (const part *p = c->version == 0 ? order_v0 : order_v1; *p != PART_COUNT; p++) {
        if (*p == OUTPUT && !c->has_output) continue;
        if (!check_groups(c, *p, err)) return false;
        begin[*p] = at;
        at += part_bytes(c, *p) * (uint64_t)(parts[*p].is_per_layer ? c->n_layer : 1);
        if (at > c->map.size) break; /* before the sum could overflow */
    }
    if (at == c->map.size) return true;
    return err_set(
        err, LORY_E_FORMAT,
        "%s: the file has %zu bytes, but its llama2.c header (dim %d, hidden_dim %d, n_layers %d, "
        "vocab_size %d, seq_len %d) asks for %s%" PRIu64,
        c->map.path, c->map.size, c->n_embd, c->n_ff, c->n_layer, c->n_vocab, c->n_ctx,
        at > c->map.size ? "at least " : "", at);
}

static void add_tensor(llama2c *c, part p, int il, const uint64_t begin[PART_COUNT])
{
    char *name = c->names + c->n_tensors * NAME_BYTES;
    gguf_tensor *t = &c->tensors[c->n_tensors++];
    snprintf(name, NAME_BYTES, parts[p].name, il);
    *t = (gguf_tensor){ .name = { name, strlen(name) }, .type = QT_F32, .ne = { 1, 1, 1, 1 } };
    shape_of(c, p, t->ne);
    t->n_dims = parts[p].is_matrix ? 2 : 1;
    t->n_bytes = (size_t)part_bytes(c, p);
    t->offset = begin[p] + (uint64_t)il * t->n_bytes;
    t->data = c->map.data + t->offset;
}

static bool list_tensors(llama2c *c, lory_err *err)
{
    uint64_t begin[PART_COUNT] = { 0 };
    if (!place_parts(c, begin, err)) return false;
    size_t n = 3 + (size_t)c->n_layer * N_BLOCK_PARTS;
    c->tensors = mem_new(n, sizeof *c->tensors);
    c->names = mem_new(n, NAME_BYTES);
    if (!c->tensors || !c->names)
        return err_set(err, LORY_E_MEMORY, "%s: out of memory for %zu tensors", c->map.path, n);
    add_tensor(c, EMBD, 0, begin);
    add_tensor(c, OUT_NORM, 0, begin);
    for (int il = 0; il < c->n_layer; il++)
        for (int i = 0; i < N_BLOCK_PARTS; i++) add_tensor(c, order_block[i], il, begin);
    if (c->has_output) add_tensor(c, OUTPUT, 0, begin);
    return true;
}

bool llama2c_open(llama2c *c, const char *path, lory_err *err)
{
    *c = (llama2c){ 0 };
    if (file_map_open(&c->map, path, err) && read_header(c, err) && list_tensors(c, err))
        return true;
    llama2c_close(c);
    return false;
}

void llama2c_close(llama2c *c)
{
    mem_free(c->tensors);
    mem_free(c->names);
    file_map_close(&c->map);
    *c = (llama2c){ 0 };
}

void llama2c_row(const void *c_, const gguf_tensor *t, int64_t row, float *out)
{
    const llama2c *c = c_;
    int64_t n = t->ne[0], begin = row * n;
    const unsigned char *data = t->data;
    if (c->version != 2 || t->n_dims == 1) {
        memcpy(out, data + 4 * begin, (size_t)n * 4);
        return;
    }
    const unsigned char *scales = data + n * t->ne[1];
    for (int64_t i = 0; i < n; i++) /* a group may begin in one row and end in the next */
        out[i] =
            (float)(int8_t)data[begin + i] * bytes_f32(scales + (begin + i) / c->group_size * 4);
}

/* ---- tokenizer.bin ----------------------------------------------------------------------- */

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, BYTE = 6 }; /* tokenizer.ggml.token_type */

static bool is_byte_token(gguf_str s)
{
    return s.n == 6 && memcmp(s.s, "<0x", 3) == 0 && s.s[5] == '>'
           && strspn(s.s + 3, "0123456789ABCDEF") == 2;
}

/* export.py turned U+2581 into spaces and put newlines around <s> and </s>: back again. */
static bool add_token(llama2c_vocab *v, gguf_str s)
{
    static const char space[] = "\xe2\x96\x81";
    size_t i = v->n, n_spaces = 0;
    bool is_marker = (i == 1 || i == 2) && s.n >= 2 && s.s[0] == '\n' && s.s[s.n - 1] == '\n';
    if (is_marker) s = (gguf_str){ s.s + 1, s.n - 2 };
    v->types[i] = i == 0 && gguf_str_is(s, "<unk>") ? UNKNOWN
                  : i == 1 || i == 2                ? CONTROL
                  : is_byte_token(s)                ? BYTE
                                                    : NORMAL;
    for (size_t k = 0; k < s.n; k++) n_spaces += s.s[k] == ' ';
    char *text = arena_new(&v->arena, s.n + 2 * n_spaces + 1, 1), *at = text;
    if (!text) return false;
    for (size_t k = 0; k < s.n; k++) {
        size_t n = s.s[k] == ' ' ? 3 : 1;
        memcpy(at, n == 3 ? space : &s.s[k], n);
        at += n;
    }
    v->texts[v->n++] = (gguf_str){ text, (size_t)(at - text) };
    return true;
}

/* Token v->n of the file, from *at on: score, length, bytes. */
static bool read_token(llama2c_vocab *v, const file_map *m, size_t *at, int n_vocab, lory_err *err)
{
    uint32_t n_max = bytes_u32(m->data);
    if (m->size - *at < 8)
        return err_set(err, LORY_E_FORMAT,
                       "%s: ends after %zu tokens (expected %d, as the checkpoint says)", m->path,
                       v->n, n_vocab);
    float score = bytes_f32(m->data + *at);
    uint32_t n = bytes_u32(m->data + *at + 4);
    *at += 8;
    if (n > n_max || n > m->size - *at)
        return err_set(err, LORY_E_FORMAT,
                       "%s: token %zu has a length of %" PRIu32 " (longest token %" PRIu32
                       ", bytes left %zu)",
                       m->path, v->n, n, n_max, m->size - *at);
    if (!isfinite(score))
        return err_set(err, LORY_E_FORMAT, "%s: token %zu has a score that is no finite number",
                       m->path, v->n);
    v->scores[v->n] = score;
    if (!add_token(v, (gguf_str){ (const char *)m->data + *at, n }))
        return err_set(err, LORY_E_MEMORY, "%s: out of memory for %d tokens", m->path, n_vocab);
    *at += n;
    return true;
}

static bool read_tokens(llama2c_vocab *v, const file_map *m, int n_vocab, lory_err *err)
{
    size_t at = 4, n = (size_t)n_vocab;
    if (m->size < 4 || (m->size - 4) / 8 < n)
        return err_set(err, LORY_E_FORMAT,
                       "%s: %zu bytes are too few for the %d tokens of the checkpoint", m->path,
                       m->size, n_vocab);
    v->texts = arena_new(&v->arena, n, sizeof *v->texts);
    v->scores = arena_new(&v->arena, n, sizeof *v->scores);
    v->types = arena_new(&v->arena, n, sizeof *v->types);
    if (!v->texts || !v->scores || !v->types)
        return err_set(err, LORY_E_MEMORY, "%s: out of memory for %d tokens", m->path, n_vocab);
    while (v->n < n)
        if (!read_token(v, m, &at, n_vocab, err)) return false;
    if (at == m->size) return true;
    return err_set(err, LORY_E_FORMAT,
                   "%s: goes on after %d tokens, all that the checkpoint has (%zu more bytes)",
                   m->path, n_vocab, m->size - at);
}

bool llama2c_read_vocab(llama2c_vocab *v, const char *path, int n_vocab, lory_err *err)
{
    file_map m = { 0 };
    *v = (llama2c_vocab){ 0 };
    bool ok = file_map_open(&m, path, err) && read_tokens(v, &m, n_vocab, err);
    file_map_close(&m);
    if (!ok) llama2c_free_vocab(v);
    return ok;
}

void llama2c_free_vocab(llama2c_vocab *v)
{
    arena_free(&v->arena);
    *v = (llama2c_vocab){ 0 };
}
