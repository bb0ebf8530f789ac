/* gguf_write.c - see gguf_write.h. */
#include "gguf/gguf_write.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include <inttypes.h>
#include <string.h>

static const unsigned char zeros[GGUF_ALIGNMENT];

static uint64_t padding_of(uint64_t n_bytes)
{
    return (GGUF_ALIGNMENT - n_bytes % GGUF_ALIGNMENT) % GGUF_ALIGNMENT;
}

bool gguf_create(gguf_writer *w, const char *path, lory_err *err)
{
    *w = (gguf_writer){ 0 };
    return file_create(&w->file, path, err);
}

/* ---- numbers and strings into a buf ------------------------------------------------------ */

static void add_u32(buf *b, uint32_t v)
{
    unsigned char bytes[4];
    bytes_put_u32(bytes, v);
    buf_put(b, bytes, sizeof bytes);
}

static void add_u64(buf *b, uint64_t v)
{
    unsigned char bytes[8];
    bytes_put_u64(bytes, v);
    buf_put(b, bytes, sizeof bytes);
}

static void add_f32(buf *b, float v)
{
    add_u32(b, f32_bits(v));
}

static void add_str(buf *b, gguf_str s)
{
    add_u64(b, s.n);
    buf_put(b, s.s, s.n);
}

static gguf_str str(const char *s)
{
    return (gguf_str){ s, strlen(s) };
}

/* ---- keys -------------------------------------------------------------------------------- */

static buf *begin_key(gguf_writer *w, gguf_str key, gguf_type type)
{
    w->n_keys++;
    add_str(&w->keys, key);
    add_u32(&w->keys, type);
    return &w->keys;
}

static buf *begin_array(gguf_writer *w, const char *key, gguf_type elem, size_t n)
{
    buf *b = begin_key(w, str(key), GGUF_ARR);
    add_u32(b, elem);
    add_u64(b, n);
    return b;
}

void gguf_put_u32(gguf_writer *w, const char *key, uint32_t value)
{
    add_u32(begin_key(w, str(key), GGUF_U32), value);
}

void gguf_put_f32(gguf_writer *w, const char *key, float value)
{
    add_f32(begin_key(w, str(key), GGUF_F32), value);
}

void gguf_put_bool(gguf_writer *w, const char *key, bool value)
{
    buf_putc(begin_key(w, str(key), GGUF_BOOL), value ? 1 : 0);
}

void gguf_put_str(gguf_writer *w, const char *key, const char *value)
{
    gguf_put_bytes(w, key, str(value));
}

void gguf_put_bytes(gguf_writer *w, const char *key, gguf_str value)
{
    add_str(begin_key(w, str(key), GGUF_STR), value);
}

void gguf_put_i32s(gguf_writer *w, const char *key, const int32_t *values, size_t n)
{
    buf *b = begin_array(w, key, GGUF_I32, n);
    for (size_t i = 0; i < n; i++) add_u32(b, (uint32_t)values[i]);
}

void gguf_put_bools(gguf_writer *w, const char *key, const bool *values, size_t n)
{
    buf *b = begin_array(w, key, GGUF_BOOL, n);
    for (size_t i = 0; i < n; i++) buf_putc(b, values[i] ? 1 : 0);
}

void gguf_put_f32s(gguf_writer *w, const char *key, const float *values, size_t n)
{
    buf *b = begin_array(w, key, GGUF_F32, n);
    for (size_t i = 0; i < n; i++) add_f32(b, values[i]);
}

void gguf_put_strs(gguf_writer *w, const char *key, const gguf_str *values, size_t n)
{
    buf *b = begin_array(w, key, GGUF_STR, n);
    for (size_t i = 0; i < n; i++) add_str(b, values[i]);
}

void gguf_put_kv(gguf_writer *w, const gguf_kv *kv)
{
    buf *b = begin_key(w, kv->key, kv->type);
    if (kv->type == GGUF_ARR) {
        add_u32(b, kv->elem);
        add_u64(b, kv->n);
    }
    buf_put(b, kv->data, kv->n_bytes);
}

/* ---- tensor infos ------------------------------------------------------------------------ */

/* Keeps the first error only: the later ones follow from it. */
static lory_err *first_err(gguf_writer *w)
{
    return w->first.code == LORY_OK ? &w->first : NULL;
}

static bool tensor_bytes(qtype type, int n_dims, const int64_t *ne, size_t *n_bytes)
{
    const qtype_row *q = &qtypes[type];
    if (n_dims < 1 || n_dims > GGUF_MAX_DIMS || ne[0] < 1 || ne[0] % q->block_elems) return false;
    if (!mem_mul((size_t)(ne[0] / q->block_elems), (size_t)q->block_bytes, n_bytes)) return false;
    for (int i = 1; i < n_dims; i++)
        if (ne[i] < 1 || !mem_mul(*n_bytes, (size_t)ne[i], n_bytes)) return false;
    return *n_bytes <= INT64_MAX / 2;
}

void gguf_add_tensor(gguf_writer *w, gguf_str name, qtype type, int n_dims, const int64_t *ne)
{
    size_t n_bytes;
    if (!tensor_bytes(type, n_dims, ne, &n_bytes)) {
        err_set(first_err(w), LORY_E_ARGUMENT,
                "%s: tensor '%.*s' of type %s can't have this shape (rows of %" PRId64
                ", blocks of %d)",
                w->file.path, (int)(name.n < 64 ? name.n : 64), name.s, qtypes[type].name, ne[0],
                qtypes[type].block_elems);
        return;
    }
    w->n_tensors++;
    add_str(&w->infos, name);
    add_u32(&w->infos, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++) add_u64(&w->infos, (uint64_t)ne[i]);
    add_u32(&w->infos, qtypes[type].gguf_id);
    add_u64(&w->infos, w->data_bytes);
    add_u64(&w->sizes, n_bytes);
    w->data_bytes += n_bytes + padding_of(n_bytes);
    if (w->data_bytes > INT64_MAX / 2)
        err_set(first_err(w), LORY_E_ARGUMENT, "%s: the tensors are too large for a file",
                w->file.path);
}

/* ---- data -------------------------------------------------------------------------------- */

static bool pad(gguf_writer *w, uint64_t n_bytes, lory_err *err)
{
    return file_write(&w->file, zeros, (size_t)padding_of(n_bytes), err);
}

static void next_tensor(gguf_writer *w)
{
    w->n_left = w->i_tensor < w->n_tensors ? bytes_u64(w->sizes.data + 8 * w->i_tensor) : 0;
}

bool gguf_begin_data(gguf_writer *w, lory_err *err)
{
    buf head = { 0 };
    if (w->first.code != LORY_OK) return err_set(err, w->first.code, "%s", w->first.text);
    buf_puts(&head, "GGUF");
    add_u32(&head, 3);
    add_u64(&head, w->n_tensors);
    add_u64(&head, w->n_keys);
    bool ok = !head.failed && !w->keys.failed && !w->infos.failed && !w->sizes.failed;
    if (!ok) err_set(err, LORY_E_MEMORY, "%s: out of memory for the metadata", w->file.path);
    uint64_t n_bytes = (uint64_t)head.len + w->keys.len + w->infos.len;
    ok = ok && file_write(&w->file, head.data, head.len, err)
         && file_write(&w->file, w->keys.data, w->keys.len, err)
         && file_write(&w->file, w->infos.data, w->infos.len, err)
         && (w->n_tensors == 0 || pad(w, n_bytes, err));
    buf_free(&head);
    buf_free(&w->keys);
    buf_free(&w->infos);
    w->in_data = ok;
    if (ok) next_tensor(w);
    return ok;
}

bool gguf_write_data(gguf_writer *w, const void *bytes, size_t n_bytes, lory_err *err)
{
    if (!w->in_data || n_bytes > w->n_left)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: %zu bytes for tensor %" PRIu64 " of %" PRIu64 ", which has %" PRIu64
                       " to come",
                       w->file.path, n_bytes, w->i_tensor + 1, w->n_tensors, w->n_left);
    if (!file_write(&w->file, bytes, n_bytes, err)) return false;
    w->n_left -= n_bytes;
    if (w->n_left > 0 || n_bytes == 0) return true;
    if (!pad(w, bytes_u64(w->sizes.data + 8 * w->i_tensor), err)) return false;
    w->i_tensor++;
    next_tensor(w);
    return true;
}

bool gguf_commit(gguf_writer *w, lory_err *err)
{
    bool ok = w->in_data && w->i_tensor == w->n_tensors;
    if (!ok)
        err_set(err, LORY_E_ARGUMENT,
                "%s: the data of tensor %" PRIu64 " of %" PRIu64 " is missing", w->file.path,
                w->i_tensor + 1, w->n_tensors);
    ok = ok && file_commit(&w->file, err);
    if (ok) w->file = (file_new){ 0 };
    gguf_abandon(w);
    return ok;
}

void gguf_abandon(gguf_writer *w)
{
    file_abandon(&w->file);
    buf_free(&w->keys);
    buf_free(&w->infos);
    buf_free(&w->sizes);
    *w = (gguf_writer){ 0 };
}
