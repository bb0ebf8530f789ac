/* safetensors.c - see safetensors.h.
 *
 * The file is: the length of the header (8 bytes), the header (one JSON object, a member for each
 * tensor, and perhaps "__metadata__"), the data. */
#include "gguf/safetensors.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "gguf/name_table.h"
#include "gguf/sniff.h"
#include "quant/q_float.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, MAX_SHOWN = 96 };

static const struct {
    const char *name;
    size_t n_bytes;
    bool is_float;
} dtypes[ST_DTYPE_COUNT] = {
    [ST_F64] = { "F64", 8, true },         [ST_F32] = { "F32", 4, true },
    [ST_F16] = { "F16", 2, true },         [ST_BF16] = { "BF16", 2, true },
    [ST_F8_E4M3] = { "F8_E4M3", 1, true }, [ST_F8_E5M2] = { "F8_E5M2", 1, true },
    [ST_F8_E8M0] = { "F8_E8M0", 1, true }, [ST_I64] = { "I64", 8, false },
    [ST_I32] = { "I32", 4, false },        [ST_I16] = { "I16", 2, false },
    [ST_I8] = { "I8", 1, false },          [ST_U64] = { "U64", 8, false },
    [ST_U32] = { "U32", 4, false },        [ST_U16] = { "U16", 2, false },
    [ST_U8] = { "U8", 1, false },          [ST_BOOL] = { "BOOL", 1, false },
};

const char *st_dtype_name(st_dtype t)
{
    return dtypes[t].name;
}

size_t st_dtype_bytes(st_dtype t)
{
    return dtypes[t].n_bytes;
}

bool st_dtype_is_float(st_dtype t)
{
    return dtypes[t].is_float;
}

/* ---- errors ------------------------------------------------------------------------------ */

static int shown(gguf_str s)
{
    size_t n = s.n < MAX_SHOWN ? s.n : MAX_SHOWN;
    return (int)(n - utf8_incomplete_tail(s.s, n));
}

/* "FILE: tensor 'x' " and the sentence. */
static bool wrong(const safetensors *s, gguf_str name, lory_err *err, const char *fmt, ...)
    ERR_PRINTF(4, 5);
static bool wrong(const safetensors *s, gguf_str name, lory_err *err, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(err, LORY_E_FORMAT, "%s: tensor '%.*s%s' %s", s->map.path, shown(name), name.s,
                   name.n > MAX_SHOWN ? "..." : "", what);
}

/* ---- one tensor -------------------------------------------------------------------------- */

static bool read_dtype(const safetensors *s, st_tensor *t, const json *j, lory_err *err)
{
    for (int i = 0; i < ST_DTYPE_COUNT; i++)
        if (json_str_is(j, dtypes[i].name)) {
            t->dtype = (st_dtype)i;
            return true;
        }
    if (!j || j->type != JSON_STRING)
        return wrong(s, t->name, err, "has no dtype (expected a string)");
    err_set(err, LORY_E_UNSUPPORTED,
            "%s: tensor '%.*s' has the dtype '%.32s', which lory does not "
            "know",
            s->map.path, shown(t->name), t->name.s, j->str);
    return false;
}

/* Of one or two numbers the product must fit; sizes of 0 are sizes. */
static bool read_shape(const safetensors *s, st_tensor *t, const json *j, lory_err *err)
{
    size_t n = 1;
    if (!j || j->type != JSON_ARRAY)
        return wrong(s, t->name, err, "has no shape (expected an array)");
    if (j->n > ST_MAX_DIMS)
        return wrong(s, t->name, err, "has %zu dimensions (expected at most %d)", j->n,
                     ST_MAX_DIMS);
    for (int i = 0; i < ST_MAX_DIMS; i++) t->shape[i] = 1;
    for (const json *d = j->first; d; d = d->next) {
        int64_t v = -1;
        if (!json_get_int(d, &v) || v < 0 || !mem_mul(n, (size_t)v, &n) || n > INT64_MAX / 16)
            return wrong(s, t->name, err, "has a shape that is no size (dimension %d of %zu)",
                         t->n_dims + 1, j->n);
        t->shape[t->n_dims++] = v;
    }
    t->n_elems = (int64_t)n;
    t->n_bytes = n * dtypes[t->dtype].n_bytes;
    return true;
}

static bool read_place(const safetensors *s, st_tensor *t, const json *j, size_t begin_data,
                       lory_err *err)
{
    int64_t begin, end;
    uint64_t n_data = s->map.size - begin_data;
    if (!j || j->type != JSON_ARRAY || j->n != 2 || !json_get_int(j->first, &begin)
        || !json_get_int(j->first->next, &end))
        return wrong(s, t->name, err, "has no data_offsets (expected two numbers)");
    if (begin < 0 || end < begin || (uint64_t)end > n_data)
        return wrong(s, t->name, err,
                     "has bytes %" PRId64 " to %" PRId64 " of the data, which has %" PRIu64, begin,
                     end, n_data);
    if ((uint64_t)(end - begin) != t->n_bytes)
        return wrong(s, t->name, err,
                     "has %" PRId64 " byte%s (its shape of %" PRId64
                     " element%s of %s asks for %zu)",
                     end - begin, plural((uint64_t)(end - begin)), t->n_elems,
                     plural((uint64_t)t->n_elems), dtypes[t->dtype].name, t->n_bytes);
    t->data = s->map.data + begin_data + (size_t)begin;
    return true;
}

static bool read_tensor(const safetensors *s, st_tensor *t, const json *j, size_t begin_data,
                        lory_err *err)
{
    t->name = (gguf_str){ j->key, j->n_key };
    if (t->name.n == 0)
        return err_set(err, LORY_E_FORMAT, "%s: a tensor has an empty name", s->map.path);
    if (j->type != JSON_OBJECT) return wrong(s, t->name, err, "is no object in the header");
    return read_dtype(s, t, json_get(j, "dtype"), err)
           && read_shape(s, t, json_get(j, "shape"), err)
           && read_place(s, t, json_get(j, "data_offsets"), begin_data, err);
}

/* ---- the header -------------------------------------------------------------------------- */

static bool refuse_format(const safetensors *s, lory_err *err)
{
    const unsigned char *d = s->map.data;
    const char *what = sniff_format(d, s->map.size);
    if (what && !strstr(what, "llama2.c") && !strstr(what, "safetensors"))
        return err_set(err, LORY_E_FORMAT, "%s: is %s", s->map.path, what);
    return err_set(err, LORY_E_FORMAT, "%s: is not a safetensors file", s->map.path);
}

static bool read_header(safetensors *s, size_t *begin_data, lory_err *err)
{
    const file_map *m = &s->map;
    uint64_t n = m->size >= LENGTH_BYTES ? bytes_u64(m->data) : 0;
    if (m->size < LENGTH_BYTES + 2 || m->data[LENGTH_BYTES] != '{') return refuse_format(s, err);
    if (n > ST_MAX_HEADER_BYTES || n > m->size - LENGTH_BYTES)
        return err_set(err, LORY_E_FORMAT,
                       "%s: says that its header has %" PRIu64 " bytes (the file has %zu after it)",
                       m->path, n, m->size - LENGTH_BYTES);
    *begin_data = LENGTH_BYTES + (size_t)n;
    if (!json_read(&s->header, (const char *)m->data + LENGTH_BYTES, (size_t)n, m->path, err))
        return false;
    if (s->header.root->type == JSON_OBJECT) return true;
    return err_set(err, LORY_E_FORMAT, "%s: the header is no JSON object", m->path);
}

static bool is_metadata(const json *j)
{
    static const char name[] = "__metadata__";
    return j->n_key == sizeof name - 1 && memcmp(j->key, name, sizeof name - 1) == 0;
}

static bool read_tensors(safetensors *s, size_t begin_data, lory_err *err)
{
    s->tensors = mem_new(s->header.root->n, sizeof *s->tensors);
    if (!s->tensors)
        return err_set(err, LORY_E_MEMORY, "%s: out of memory for %zu tensors", s->map.path,
                       s->header.root->n);
    for (const json *j = s->header.root->first; j; j = j->next) {
        if (is_metadata(j)) continue;
        if (!read_tensor(s, &s->tensors[s->n_tensors], j, begin_data, err)) return false;
        s->n_tensors++;
    }
    return true;
}

/* ---- all of them ------------------------------------------------------------------------- */

static bool check_names(const safetensors *s, lory_err *err)
{
    /* Where the system put the mapping is unknown to who made the file. */
    const uint64_t key[2] = { (uint64_t)(uintptr_t)s->map.data, (uint64_t)(uintptr_t)s };
    name_table t = { .items = s->tensors, .stride = sizeof *s->tensors, .hash_key = key };
    bool ok = true;
    t.slots = name_table_new(s->n_tensors, &t.n_slots);
    if (!t.slots)
        return err_set(err, LORY_E_MEMORY, "%s: out of memory for %zu names", s->map.path,
                       s->n_tensors);
    for (size_t i = 0; ok && i < s->n_tensors; i++) {
        uint32_t *slot = name_table_slot(&t, s->tensors[i].name);
        ok = !*slot || wrong(s, s->tensors[i].name, err, "is there twice");
        *slot = (uint32_t)i + 1;
    }
    mem_free(t.slots);
    return ok;
}

static int by_place(const void *a_, const void *b_)
{
    const st_tensor *a = a_, *b = b_;
    if (a->data != b->data) return a->data < b->data ? -1 : 1;
    return a->n_bytes < b->n_bytes ? -1 : a->n_bytes > b->n_bytes; /* empty ones first */
}

/* Sorts the tensors by place; the data must be theirs, all of it. */
static bool check_places(safetensors *s, size_t begin_data, lory_err *err)
{
    const unsigned char *at = s->map.data + begin_data, *end = s->map.data + s->map.size;
    if (s->n_tensors) qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_place);
    for (size_t i = 0; i < s->n_tensors; i++) {
        const st_tensor *t = &s->tensors[i];
        if (t->data < at) return wrong(s, t->name, err, "overlaps the one before it");
        if (t->data - at >= ST_MAX_HOLE_BYTES)
            return wrong(s, t->name, err, "has %td bytes before it that belong to no tensor",
                         t->data - at);
        at = t->data + t->n_bytes;
    }
    if (end - at < ST_MAX_HOLE_BYTES) return true;
    return err_set(err, LORY_E_FORMAT, "%s: goes on after its last tensor (%td more bytes)",
                   s->map.path, end - at);
}

static bool read_all(safetensors *s, lory_err *err)
{
    size_t begin_data = 0;
    if (read_header(s, &begin_data, err) && read_tensors(s, begin_data, err) && check_names(s, err)
        && check_places(s, begin_data, err))
        return true;
    safetensors_close(s);
    return false;
}

bool safetensors_open(safetensors *s, const char *path, lory_err *err)
{
    *s = (safetensors){ 0 };
    return file_map_open(&s->map, path, err) && read_all(s, err);
}

bool safetensors_open_bytes(safetensors *s, const void *bytes, size_t n, const char *name,
                            lory_err *err)
{
    *s = (safetensors){ 0 };
    return file_map_bytes(&s->map, bytes, n, name, err) && read_all(s, err);
}

void safetensors_close(safetensors *s)
{
    mem_free(s->tensors);
    json_close(&s->header);
    file_map_close(&s->map);
    *s = (safetensors){ 0 };
}

/* ---- values ------------------------------------------------------------------------------ */

/* E4M3FN (OCP 8-bit floats, 2023): bias 7, no infinities, 0x7f is NaN. */
static float e4m3_to_f32(unsigned char b)
{
    uint32_t sign = (uint32_t)(b & 0x80) << 24, e = b >> 3 & 15, m = b & 7;
    if (e == 15 && m == 7) return f32_of_bits(sign | 0x7fc00000u);
    if (e == 0) return f32_of_bits(sign) + (sign ? -1.0f : 1.0f) * (float)m * 0x1p-9f;
    return f32_of_bits(sign | (e + 120) << 23 | m << 20);
}

/* E8M0 (OCP MX 1.0): a power of two; 0xff is NaN. */
static float e8m0_to_f32(unsigned char b)
{
    return b == 255 ? f32_of_bits(0x7fc00000u)
           : b == 0 ? 0x1p-127f
                    : f32_of_bits((uint32_t)b << 23);
}

/* One of a dtype that has no loop of its own below. */
static float element(st_dtype type, const unsigned char *p)
{
    switch (type) {
    case ST_F64: return (float)bytes_f64(p);
    case ST_F8_E4M3: return e4m3_to_f32(*p);
    case ST_F8_E5M2: return f16_to_f32((uint16_t)(*p << 8)); /* the upper half of a half */
    case ST_F8_E8M0: return e8m0_to_f32(*p);
    case ST_I64: return (float)(int64_t)bytes_u64(p);
    case ST_I32: return (float)(int32_t)bytes_u32(p);
    case ST_I16: return (float)(int16_t)bytes_u16(p);
    case ST_I8: return (float)(int8_t)*p;
    case ST_U64: return (float)bytes_u64(p);
    case ST_U32: return (float)bytes_u32(p);
    case ST_U16: return (float)bytes_u16(p);
    default: return (float)*p;
    }
}

void st_to_f32(const st_tensor *t, int64_t first, int64_t n, float *out)
{
    size_t size = dtypes[t->dtype].n_bytes;
    const unsigned char *p = t->data + (size_t)first * size;
    switch (t->dtype) {
    case ST_F32:
        for (int64_t i = 0; i < n; i++) out[i] = bytes_f32(p + 4 * i);
        break;
    case ST_F16:
        for (int64_t i = 0; i < n; i++) out[i] = f16_to_f32(bytes_u16(p + 2 * i));
        break;
    case ST_BF16:
        for (int64_t i = 0; i < n; i++) out[i] = f32_of_bits((uint32_t)bytes_u16(p + 2 * i) << 16);
        break;
    default:
        for (int64_t i = 0; i < n; i++) out[i] = element(t->dtype, p + (size_t)i * size);
    }
}
