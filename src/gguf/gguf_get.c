/* gguf_get.c - the values of an open GGUF file, by key and kind; see gguf.h. */
#include "gguf/gguf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "gguf/name_table.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t n_bytes;
} types[GGUF_TYPE_COUNT] = {
    [GGUF_U8] = { "uint8", 1 },    [GGUF_I8] = { "int8", 1 },    [GGUF_U16] = { "uint16", 2 },
    [GGUF_I16] = { "int16", 2 },   [GGUF_U32] = { "uint32", 4 }, [GGUF_I32] = { "int32", 4 },
    [GGUF_F32] = { "float32", 4 }, [GGUF_BOOL] = { "bool", 1 },  [GGUF_STR] = { "string", 0 },
    [GGUF_ARR] = { "array", 0 },   [GGUF_U64] = { "uint64", 8 }, [GGUF_I64] = { "int64", 8 },
    [GGUF_F64] = { "float64", 8 },
};

const char *gguf_type_name(gguf_type t)
{
    return (unsigned)t < GGUF_TYPE_COUNT ? types[t].name : "unknown";
}

size_t gguf_type_bytes(gguf_type t)
{
    return (unsigned)t < GGUF_TYPE_COUNT ? types[t].n_bytes : 0;
}

const char *gguf_path(const gguf *g)
{
    return g->map.path;
}

bool gguf_str_is(gguf_str a, const char *b)
{
    return strlen(b) == a.n && memcmp(a.s, b, a.n) == 0;
}

bool gguf_str_ends(gguf_str a, const char *end)
{
    size_t n = strlen(end);
    return a.n >= n && memcmp(a.s + a.n - n, end, n) == 0;
}

bool gguf_str_has(gguf_str a, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= a.n; i++)
        if (memcmp(a.s + i, part, n) == 0) return true;
    return false;
}

size_t gguf_name_pattern(gguf_str name, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < name.n;) {
        size_t end = i;
        bool starts = i == 0 || name.s[i - 1] == '.';
        while (starts && end < name.n && name.s[end] >= '0' && name.s[end] <= '9') end++;
        bool is_number = end > i && (end == name.n || name.s[end] == '.');
        out[n++] = is_number ? '*' : name.s[i];
        i = is_number ? end : i + 1;
    }
    return n;
}

const gguf_kv *gguf_find(const gguf *g, const char *key)
{
    name_table t = { g->kv, sizeof *g->kv, g->kv_slots, g->n_kv_slots, g->hash_key };
    const gguf_kv *kv = name_table_find(&t, (gguf_str){ key, strlen(key) });
    if (kv && g->was_read) atomic_store_explicit(&g->was_read[kv - g->kv], 1, memory_order_relaxed);
    return kv;
}

bool gguf_was_read(const gguf *g, size_t i)
{
    return atomic_load_explicit(&g->was_read[i], memory_order_relaxed);
}

const gguf_tensor *gguf_find_tensor(const gguf *g, const char *name)
{
    name_table t = { g->tensors, sizeof *g->tensors, g->tensor_slots, g->n_tensor_slots,
                     g->hash_key };
    return name_table_find(&t, (gguf_str){ name, strlen(name) });
}

static bool is_int(gguf_type t)
{
    return t <= GGUF_I32 || t == GGUF_U64 || t == GGUF_I64;
}

/* "string", or "array of 3 int32". */
static const char *kind_of(const gguf_kv *kv, char out[64])
{
    if (kv->type != GGUF_ARR) return gguf_type_name(kv->type);
    snprintf(out, 64, "array of %" PRIu64 " %s", kv->n, gguf_type_name(kv->elem));
    return out;
}

static bool wrong_kind(const gguf *g, const gguf_kv *kv, const char *wanted, lory_err *err)
{
    char found[64];
    return err_set(err, LORY_E_FORMAT,
                   "%s: key '%.*s' is of the wrong kind (found %s, expected %s)", gguf_path(g),
                   (int)kv->key.n, kv->key.s, kind_of(kv, found), wanted);
}

bool gguf_get_uint(const gguf *g, const char *key, uint64_t max, uint64_t *value, lory_err *err)
{
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv) return true;
    if (!is_int(kv->type)) return wrong_kind(g, kv, "an integer", err);
    int64_t v = gguf_int_at(kv, 0);
    if (v < 0 && kv->type != GGUF_U64)
        return err_set(err, LORY_E_FORMAT,
                       "%s: key '%s' is out of range (found %" PRId64 ", expected 0 to %" PRIu64
                       ")",
                       gguf_path(g), key, v, max);
    if ((uint64_t)v > max)
        return err_set(err, LORY_E_FORMAT,
                       "%s: key '%s' is out of range (found %" PRIu64 ", expected 0 to %" PRIu64
                       ")",
                       gguf_path(g), key, (uint64_t)v, max);
    *value = (uint64_t)v;
    return true;
}

bool gguf_get_f32(const gguf *g, const char *key, float *value, lory_err *err)
{
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv) return true;
    if (!is_int(kv->type) && kv->type != GGUF_F32 && kv->type != GGUF_F64)
        return wrong_kind(g, kv, "a number", err);
    float v = (float)gguf_float_at(kv, 0);
    if (!isfinite(v))
        return err_set(err, LORY_E_FORMAT, "%s: key '%s' is not a finite number (found %g)",
                       gguf_path(g), key, gguf_float_at(kv, 0));
    *value = v;
    return true;
}

bool gguf_get_bool(const gguf *g, const char *key, bool *value, lory_err *err)
{
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv) return true;
    if (kv->type != GGUF_BOOL) return wrong_kind(g, kv, "bool", err);
    *value = gguf_int_at(kv, 0) != 0;
    return true;
}

static gguf_str str_at(const unsigned char *p)
{
    return (gguf_str){ (const char *)p + 8, (size_t)bytes_u64(p) };
}

bool gguf_get_str(const gguf *g, const char *key, gguf_str *value, lory_err *err)
{
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv) return true;
    if (kv->type != GGUF_STR) return wrong_kind(g, kv, "string", err);
    *value = str_at(kv->data);
    return true;
}

bool gguf_get_array(const gguf *g, const char *key, gguf_type elem, const gguf_kv **kv,
                    lory_err *err)
{
    char wanted[64];
    const gguf_kv *found = gguf_find(g, key);
    *kv = NULL;
    if (!found) return true;
    bool fits = found->elem == elem || (elem == GGUF_I32 && found->elem == GGUF_U32);
    if (found->type != GGUF_ARR || !fits) {
        snprintf(wanted, sizeof wanted, "array of %s", gguf_type_name(elem));
        return wrong_kind(g, found, wanted, err);
    }
    *kv = found;
    return true;
}

int64_t gguf_int_at(const gguf_kv *kv, uint64_t i)
{
    const unsigned char *p = (const unsigned char *)kv->data + i * gguf_type_bytes(kv->elem);
    switch (kv->elem) {
    case GGUF_BOOL:
    case GGUF_U8: return p[0];
    case GGUF_I8: return (int8_t)p[0];
    case GGUF_U16: return bytes_u16(p);
    case GGUF_I16: return (int16_t)bytes_u16(p);
    case GGUF_U32: return bytes_u32(p);
    case GGUF_I32: return (int32_t)bytes_u32(p);
    case GGUF_U64:
    case GGUF_I64: return (int64_t)bytes_u64(p);
    default: return 0;
    }
}

double gguf_float_at(const gguf_kv *kv, uint64_t i)
{
    const unsigned char *p = (const unsigned char *)kv->data + i * gguf_type_bytes(kv->elem);
    switch (kv->elem) {
    case GGUF_F32: return (double)bytes_f32(p);
    case GGUF_F64: return bytes_f64(p);
    case GGUF_U64: return (double)bytes_u64(p);
    default: return (double)gguf_int_at(kv, i);
    }
}

gguf_str_iter gguf_strings(const gguf_kv *kv)
{
    return (gguf_str_iter){ kv->data, kv->elem == GGUF_STR ? kv->n : 0 };
}

bool gguf_next(gguf_str_iter *it, gguf_str *s)
{
    if (it->n_left == 0) return false;
    *s = str_at(it->at);
    it->at += 8 + s->n;
    it->n_left--;
    return true;
}

void gguf_count_types(const gguf *g, gguf_type_use use[QT_COUNT])
{
    memset(use, 0, QT_COUNT * sizeof *use);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        if (t->type == QT_COUNT) continue;
        use[t->type].n_tensors++;
        use[t->type].n_elems += (uint64_t)(t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]);
        use[t->type].n_bytes += t->n_bytes;
    }
}
