/* gguf_read.c - opens a GGUF file and checks every byte of its structure, once; see gguf.h.
 *
 * The file is: header, keys with their values, tensor infos, padding, tensor data. It is read in
 * this order by one cursor (reader) that never passes the end of the mapping. Arrays grow with
 * what has really been read, so a count that lies costs nothing. */
#include "gguf/gguf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "gguf/name_table.h"
#include "gguf/sniff.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIN_KV_BYTES = 8 + 1 + 4 + 1,             /* key length, key, type, value */
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8, /* name length, name, n_dims, ne, type, offset */
    MAX_SHOWN = 64,                           /* bytes of a name in an error */
};

typedef struct {
    gguf *g;
    size_t at; /* byte in the file */
    lory_err *err;
    const char *noun; /* what is being read: "key", "tensor"; NULL in the header */
    uint64_t i, n;    /* the i-th of n, from 0 */
    gguf_str name;    /* of it, once known */
} reader;

typedef struct {
    uint64_t begin, end; /* in the tensor data */
    size_t i;            /* the tensor */
} extent;

/* ---- errors ------------------------------------------------------------------------------ */

/* How many bytes of a name to show: whole characters only. */
static int shown(gguf_str s)
{
    size_t n = s.n < MAX_SHOWN ? s.n : MAX_SHOWN;
    return (int)(n - utf8_incomplete_tail(s.s, n));
}

/* "the header", "key 3 of 25" or "key 'general.name'". */
static const char *place(const reader *r, char out[128])
{
    if (!r->noun)
        snprintf(out, 128, "the header");
    else if (r->name.n == 0)
        snprintf(out, 128, "%s %" PRIu64 " of %" PRIu64, r->noun, r->i + 1, r->n);
    else
        snprintf(out, 128, "%s '%.*s%s'", r->noun, shown(r->name), r->name.s,
                 r->name.n > MAX_SHOWN ? "..." : "");
    return out;
}

/* "FILE: key 'x': " and the sentence. */
static bool wrong(const reader *r, lory_status code, const char *fmt, ...) ERR_PRINTF(3, 4);
static bool wrong(const reader *r, lory_status code, const char *fmt, ...)
{
    char where[128], what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(r->err, code, "%s: %s %s", gguf_path(r->g), place(r, where), what);
}

/* ---- the cursor -------------------------------------------------------------------------- */

static size_t n_left(const reader *r)
{
    return r->g->map.size - r->at;
}

/* The next n_bytes bytes, or NULL with the error that the file ends too early. */
static const unsigned char *take(reader *r, uint64_t n_bytes, const char *part)
{
    char where[128];
    if (n_bytes > n_left(r)) {
        err_set(r->err, LORY_E_FORMAT,
                "%s: cut short in %s: %s needs %" PRIu64
                " bytes from byte %zu on, the file has %zu",
                gguf_path(r->g), place(r, where), part, n_bytes, r->at, r->g->map.size);
        return NULL;
    }
    const unsigned char *p = r->g->map.data + r->at;
    r->at += (size_t)n_bytes;
    return p;
}

static bool take_u32(reader *r, const char *part, uint32_t *v)
{
    const unsigned char *p = take(r, 4, part);
    if (p) *v = bytes_u32(p);
    return p != NULL;
}

static bool take_u64(reader *r, const char *part, uint64_t *v)
{
    const unsigned char *p = take(r, 8, part);
    if (p) *v = bytes_u64(p);
    return p != NULL;
}

/* A name: 1 or more bytes of valid UTF-8. It becomes the reader's place. */
static bool take_name(reader *r, gguf_str *name)
{
    uint64_t n;
    const unsigned char *p;
    if (!take_u64(r, "the length of its name", &n) || !(p = take(r, n, "its name"))) return false;
    *name = (gguf_str){ (const char *)p, (size_t)n };
    if (n == 0) return wrong(r, LORY_E_FORMAT, "has an empty name");
    if (!utf8_is_valid(name->s, name->n))
        return wrong(r, LORY_E_FORMAT, "has a name that is not UTF-8");
    r->name = *name;
    return true;
}

/* Room for one more item in a growing array: doubles, but never beyond n_max items. */
static bool grow(reader *r, void **items, size_t n_used, uint64_t n_max, size_t size)
{
    size_t n_new = n_used ? 2 * n_used : 32;
    if (n_used && (n_used < 32 || (n_used & (n_used - 1)))) return true;
    if (n_new > n_max) n_new = (size_t)n_max;
    void *p = mem_resize(*items, n_used, n_new, size);
    if (!p)
        return err_set(r->err, LORY_E_MEMORY, "%s: out of memory for %zu %ss", gguf_path(r->g),
                       n_new, r->noun);
    *items = p;
    return true;
}

/* ---- header ------------------------------------------------------------------------------ */

static bool refuse_format(reader *r)
{
    const unsigned char *d = r->g->map.data;
    const char *what = sniff_format(d, r->g->map.size);
    if (what) return err_set(r->err, LORY_E_FORMAT, "%s: is %s", gguf_path(r->g), what);
    if (r->g->map.size < 4)
        return err_set(r->err, LORY_E_FORMAT, "%s: is not a GGUF file (it has only %zu byte%s)",
                       gguf_path(r->g), r->g->map.size, plural(r->g->map.size));
    return err_set(
        r->err, LORY_E_FORMAT,
        "%s: is not a GGUF file (it starts with bytes %02x %02x %02x %02x, expected 'GGUF')",
        gguf_path(r->g), d[0], d[1], d[2], d[3]);
}

static bool read_version(reader *r)
{
    uint32_t v;
    const char *path = gguf_path(r->g);
    if (!take_u32(r, "the version", &v)) return false;
    r->g->version = v;
    if (v == 2 || v == 3) return true;
    if (v && (v & 0xffff) == 0)
        return err_set(r->err, LORY_E_UNSUPPORTED,
                       "%s: is a big-endian GGUF file (version bytes %08" PRIx32
                       "); lory reads little-endian ones",
                       path, v);
    if (v == 1)
        return err_set(r->err, LORY_E_UNSUPPORTED,
                       "%s: is a GGUF file of version 1; lory reads versions 2 and 3: convert it "
                       "from its source again",
                       path);
    return err_set(r->err, LORY_E_UNSUPPORTED,
                   "%s: is a GGUF file of unknown version %" PRIu32 " (lory reads 2 and 3)", path,
                   v);
}

static bool check_count(reader *r, const char *noun, uint64_t n, size_t min_bytes)
{
    if (n <= n_left(r) / min_bytes && n < UINT32_MAX / 4) return true;
    return err_set(r->err, LORY_E_FORMAT,
                   "%s: the header claims %" PRIu64 " %s%s, but only %zu byte%s follow%s it",
                   gguf_path(r->g), n, noun, plural(n), n_left(r), plural(n_left(r)),
                   n_left(r) == 1 ? "s" : "");
}

static bool read_header(reader *r, uint64_t *n_tensors, uint64_t *n_kv)
{
    const file_map *m = &r->g->map;
    if (m->size < 4 || memcmp(m->data, "GGUF", 4) != 0) return refuse_format(r);
    r->at = 4;
    return read_version(r) && take_u64(r, "the number of tensors", n_tensors)
           && take_u64(r, "the number of keys", n_kv)
           && check_count(r, "tensor", *n_tensors, MIN_TENSOR_BYTES)
           && check_count(r, "key", *n_kv, MIN_KV_BYTES);
}

/* ---- keys -------------------------------------------------------------------------------- */

static bool skip_strings(reader *r, uint64_t n)
{
    if (n > n_left(r) / 8) return take(r, n > UINT64_MAX / 8 ? n : 8 * n, "its array of strings");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t n_bytes;
        if (!take_u64(r, "a string's length", &n_bytes) || !take(r, n_bytes, "a string"))
            return false;
    }
    return true;
}

static bool check_bools(reader *r, const unsigned char *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (p[i] > 1)
            return wrong(r, LORY_E_FORMAT, "has a bool that is neither 0 nor 1 (found %d)", p[i]);
    return true;
}

/* kv->n values of kind kv->elem at the cursor. */
static bool read_values(reader *r, gguf_kv *kv)
{
    size_t begin = r->at, size = gguf_type_bytes(kv->elem);
    kv->data = r->g->map.data + begin;
    if (kv->elem == GGUF_STR) {
        if (!skip_strings(r, kv->n)) return false;
    } else {
        uint64_t n_bytes = kv->n > UINT64_MAX / size ? UINT64_MAX : kv->n * size;
        if (!take(r, n_bytes, "its value")) return false;
        if (kv->elem == GGUF_BOOL && !check_bools(r, kv->data, kv->n)) return false;
    }
    kv->n_bytes = r->at - begin;
    return true;
}

static bool read_type(reader *r, const char *part, gguf_type *type)
{
    uint32_t v;
    if (!take_u32(r, part, &v)) return false;
    if (v >= GGUF_TYPE_COUNT)
        return wrong(r, LORY_E_FORMAT,
                     "has an unknown value type (found %" PRIu32 ", expected 0 to %d)", v,
                     GGUF_TYPE_COUNT - 1);
    *type = (gguf_type)v;
    return true;
}

static bool read_kv(reader *r, gguf_kv *kv)
{
    r->name = (gguf_str){ 0 };
    if (!take_name(r, &kv->key) || !read_type(r, "its type", &kv->type)) return false;
    kv->elem = kv->type;
    kv->n = 1;
    if (kv->type == GGUF_ARR) {
        if (!read_type(r, "its element type", &kv->elem)
            || !take_u64(r, "its number of elements", &kv->n))
            return false;
        if (kv->elem == GGUF_ARR) return wrong(r, LORY_E_FORMAT, "is an array of arrays");
    }
    return read_values(r, kv);
}

static bool read_kvs(reader *r, uint64_t n_kv)
{
    gguf *g = r->g;
    r->noun = "key", r->n = n_kv;
    for (r->i = 0; r->i < n_kv; r->i++, g->n_kv++) {
        void *items = g->kv;
        if (!grow(r, &items, g->n_kv, n_kv, sizeof *g->kv)) return false;
        g->kv = items;
        if (!read_kv(r, &g->kv[g->n_kv])) return false;
    }
    return true;
}

/* ---- tensor infos ------------------------------------------------------------------------ */

static bool read_shape(reader *r, gguf_tensor *t)
{
    uint32_t n_dims;
    if (!take_u32(r, "its number of dimensions", &n_dims)) return false;
    if (n_dims < 1 || n_dims > GGUF_MAX_DIMS)
        return wrong(r, LORY_E_FORMAT, "has %" PRIu32 " dimensions (expected 1 to %d)", n_dims,
                     GGUF_MAX_DIMS);
    t->n_dims = (int)n_dims;
    for (int i = 0; i < GGUF_MAX_DIMS; i++) {
        uint64_t ne = 1;
        if (i < t->n_dims && !take_u64(r, "its shape", &ne)) return false;
        if (ne < 1 || ne > INT64_MAX)
            return wrong(r, LORY_E_FORMAT, "has %" PRIu64 " elements in dimension %d", ne, i);
        t->ne[i] = (int64_t)ne;
    }
    return true;
}

static bool read_qtype(reader *r, gguf_tensor *t)
{
    uint32_t id;
    if (!take_u32(r, "its type", &id)) return false;
    t->type = qtype_from_gguf(id);
    t->type_id = id;
    if (t->type != QT_COUNT || r->g->takes_any_type) return true;
    const char *name = qtype_foreign_name(id);
    return wrong(r, LORY_E_UNSUPPORTED,
                 "is of a type that lory does not know (number %" PRIu32 "%s%s)", id,
                 name ? ", " : "", name ? name : "");
}

/* Rows must be whole blocks, and the size must be a number. */
static bool size_tensor(reader *r, gguf_tensor *t)
{
    const qtype_row *q = &qtypes[t->type];
    if (t->ne[0] % q->block_elems)
        return wrong(r, LORY_E_FORMAT,
                     "of type %s has rows of %" PRId64 " elements (expected a multiple of %d)",
                     q->name, t->ne[0], q->block_elems);
    size_t n = (size_t)q->block_bytes;
    bool fits = mem_mul(n, (size_t)(t->ne[0] / q->block_elems), &n)
                && mem_mul(n, (size_t)t->ne[1], &n) && mem_mul(n, (size_t)t->ne[2], &n)
                && mem_mul(n, (size_t)t->ne[3], &n);
    if (!fits || n > n_left(r))
        return wrong(r, LORY_E_FORMAT,
                     "is larger than the file (%" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
                     " of %s)",
                     t->ne[0], t->ne[1], t->ne[2], t->ne[3], q->name);
    t->n_bytes = n;
    return true;
}

static bool read_tensor(reader *r, gguf_tensor *t)
{
    r->name = (gguf_str){ 0 };
    return take_name(r, &t->name) && read_shape(r, t) && read_qtype(r, t)
           && take_u64(r, "its offset", &t->offset) && (t->type == QT_COUNT || size_tensor(r, t));
}

static bool read_tensors(reader *r, uint64_t n_tensors)
{
    gguf *g = r->g;
    r->noun = "tensor", r->n = n_tensors;
    for (r->i = 0; r->i < n_tensors; r->i++, g->n_tensors++) {
        void *items = g->tensors;
        if (!grow(r, &items, g->n_tensors, n_tensors, sizeof *g->tensors)) return false;
        g->tensors = items;
        if (!read_tensor(r, &g->tensors[g->n_tensors])) return false;
    }
    return true;
}

/* ---- names ------------------------------------------------------------------------------- */

/* Makes the names of n items findable; a name that is there twice is an error. */
static bool index_names(reader *r, name_table *t, size_t n)
{
    t->hash_key = r->g->hash_key;
    t->slots = name_table_new(n, &t->n_slots);
    if (!t->slots)
        return err_set(r->err, LORY_E_MEMORY, "%s: out of memory for %zu names", gguf_path(r->g),
                       n);
    for (size_t i = 0; i < n; i++) {
        r->name = *(const gguf_str *)(const void *)((const char *)t->items + i * t->stride);
        uint32_t *slot = name_table_slot(t, r->name);
        if (*slot) return wrong(r, LORY_E_FORMAT, "is there twice");
        *slot = (uint32_t)i + 1;
    }
    return true;
}

static bool index_kvs(reader *r)
{
    gguf *g = r->g;
    name_table t = { .items = g->kv, .stride = sizeof *g->kv };
    bool ok = index_names(r, &t, g->n_kv);
    g->kv_slots = t.slots, g->n_kv_slots = t.n_slots;
    return ok;
}

static bool index_tensors(reader *r)
{
    gguf *g = r->g;
    name_table t = { .items = g->tensors, .stride = sizeof *g->tensors };
    bool ok = index_names(r, &t, g->n_tensors);
    g->tensor_slots = t.slots, g->n_tensor_slots = t.n_slots;
    return ok;
}

/* ---- tensor data ------------------------------------------------------------------------- */

static bool read_alignment(reader *r)
{
    uint64_t a = GGUF_ALIGNMENT;
    if (!gguf_get_uint(r->g, "general.alignment", UINT32_MAX, &a, r->err)) return false;
    if (a < GGUF_MIN_ALIGNMENT || a > GGUF_MAX_ALIGNMENT || (a & (a - 1)))
        return err_set(r->err, LORY_E_FORMAT,
                       "%s: key 'general.alignment' is %" PRIu64
                       " (expected a power of two from %d to %d)",
                       gguf_path(r->g), a, GGUF_MIN_ALIGNMENT, GGUF_MAX_ALIGNMENT);
    r->g->alignment = (uint32_t)a;
    return true;
}

/* Gives each tensor its place in the file, from `begin` on. */
static bool place_tensors(reader *r, size_t begin)
{
    gguf *g = r->g;
    uint64_t n_data = begin < g->map.size ? g->map.size - begin : 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        gguf_tensor *t = &g->tensors[i];
        r->name = t->name;
        if (t->offset % g->alignment)
            return wrong(r, LORY_E_FORMAT,
                         "is at offset %" PRIu64 " (expected a multiple of %" PRIu32 ")", t->offset,
                         g->alignment);
        if (t->offset > n_data || t->n_bytes > n_data - t->offset)
            return wrong(r, LORY_E_FORMAT,
                         "is cut short: it needs %zu byte%s at offset %" PRIu64
                         ", the file has %" PRIu64 " byte%s of tensor data",
                         t->n_bytes, plural(t->n_bytes), t->offset, n_data, plural(n_data));
        t->data = g->map.data + begin + t->offset;
    }
    return true;
}

static int by_begin(const void *a_, const void *b_)
{
    const extent *a = a_, *b = b_;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

static bool check_overlap(reader *r)
{
    gguf *g = r->g;
    bool ok = true;
    extent *e = mem_new(g->n_tensors, sizeof *e);
    if (!e)
        return err_set(r->err, LORY_E_MEMORY, "%s: out of memory for %zu tensors", gguf_path(g),
                       g->n_tensors);
    for (size_t i = 0; i < g->n_tensors; i++)
        e[i] = (extent){ g->tensors[i].offset, g->tensors[i].offset + g->tensors[i].n_bytes, i };
    qsort(e, g->n_tensors, sizeof *e, by_begin);
    for (size_t i = 0; ok && i < g->n_tensors; i++) {
        g->tensor_bytes += e[i].end - e[i].begin;
        if (i == 0 || e[i].begin >= e[i - 1].end) continue;
        const gguf_str *other = &g->tensors[e[i - 1].i].name;
        r->name = g->tensors[e[i].i].name;
        ok = wrong(r, LORY_E_FORMAT, "overlaps tensor '%.*s' (byte %" PRIu64 " of the tensor data)",
                   shown(*other), other->s, e[i].begin);
    }
    mem_free(e);
    return ok;
}

/* ---- open and close ---------------------------------------------------------------------- */

static bool read_all(gguf *g, lory_err *err)
{
    uint64_t n_tensors = 0, n_kv = 0;
    reader r = { .g = g, .err = err };
    if (!read_header(&r, &n_tensors, &n_kv) || !read_kvs(&r, n_kv) || !index_kvs(&r)
        || !read_alignment(&r) || !read_tensors(&r, n_tensors) || !index_tensors(&r))
        return false;
    g->was_read = mem_new(g->n_kv, sizeof *g->was_read);
    if (!g->was_read) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    size_t padding = (g->alignment - r.at % g->alignment) % g->alignment;
    return place_tensors(&r, r.at + padding) && check_overlap(&r);
}

static bool open_mapped(gguf *g, lory_err *err)
{
    /* Where the system put the mapping and this struct is unknown to who made the file. */
    g->hash_key[0] = (uint64_t)(uintptr_t)g->map.data;
    g->hash_key[1] = (uint64_t)(uintptr_t)g;
    if (read_all(g, err)) return true;
    gguf_close(g);
    return false;
}

/* What a download of a model often is. */
static bool is_model_folder(const char *path)
{
    buf config = { 0 };
    buf_printf(&config, "%s/config.json", path);
    bool is = !config.failed && file_exists(config.data);
    buf_free(&config);
    return is;
}

bool gguf_open_as(gguf *g, const gguf *like, const char *path, lory_err *err)
{
    *g = (gguf){ .takes_any_type = like->takes_any_type, .is_copy = like->is_copy };
    if ((g->is_copy ? file_map_read : file_map_open)(&g->map, path, err))
        return open_mapped(g, err);
    return is_model_folder(path)
           && err_set(err, LORY_E_FORMAT,
                      "%s: is a Hugging Face folder; 'lory convert' makes a GGUF file of it", path);
}

bool gguf_open(gguf *g, const char *path, lory_err *err)
{
    return gguf_open_as(g, &(gguf){ 0 }, path, err);
}

bool gguf_open_any(gguf *g, const char *path, lory_err *err)
{
    return gguf_open_as(g, &(gguf){ .takes_any_type = true }, path, err);
}

bool gguf_open_copy(gguf *g, const char *path, lory_err *err)
{
    return gguf_open_as(g, &(gguf){ .is_copy = true }, path, err);
}

bool gguf_open_bytes(gguf *g, const void *bytes, size_t n, const char *name, lory_err *err)
{
    *g = (gguf){ 0 };
    return file_map_bytes(&g->map, bytes, n, name, err) && open_mapped(g, err);
}

void gguf_close_parts(gguf *g)
{
    for (size_t i = 0; i < g->n_parts; i++) gguf_close(&g->parts[i]);
    mem_free(g->parts);
    g->parts = NULL;
    g->n_parts = 0;
}

void gguf_close(gguf *g)
{
    gguf_close_parts(g);
    mem_free(g->kv);
    mem_free(g->tensors);
    mem_free(g->kv_slots);
    mem_free(g->tensor_slots);
    mem_free(g->was_read);
    file_map_close(&g->map);
    *g = (gguf){ 0 };
}
