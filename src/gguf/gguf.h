/* gguf.h - GGUF files, versions 2 and 3, little-endian: a checked, mapped reader.
 * Layer: gguf. Format: ggml docs/gguf.md. Everything a gguf points to lies in the mapping and is
 * read-only; a gguf is immutable once open, so any number of threads may read it.
 *
 * gguf_open checks every count, length, offset, alignment, type and overlap; no other code needs
 * to. Time and memory are proportional to the metadata, never to what a count claims. */
#ifndef LORY_GGUF_GGUF_H
#define LORY_GGUF_GGUF_H

#include "base/file.h"
#include "lory.h"
#include "quant/qtype.h"
#include <stdatomic.h>

enum {
    GGUF_MAX_DIMS = 4,
    GGUF_ALIGNMENT = 32, /* bytes, where general.alignment does not say otherwise */
    GGUF_MIN_ALIGNMENT = 8,
    GGUF_MAX_ALIGNMENT = 1 << 16,
};

/* Numbers of the format. */
typedef enum {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STR,
    GGUF_ARR,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPE_COUNT
} gguf_type;

typedef struct {
    const char *s; /* [n] bytes in the mapping, not NUL-terminated, any bytes */
    size_t n;
} gguf_str;

typedef struct {
    gguf_str key;
    gguf_type type;   /* of the value; GGUF_ARR: of the elements see elem */
    gguf_type elem;   /* of an array's elements (never GGUF_ARR: nested arrays are refused); of a
                         scalar the same as type */
    uint64_t n;       /* elements; 1 for a scalar */
    const void *data; /* the value (or first element), unaligned; a string's length prefix */
    size_t n_bytes;   /* of the value, or of all elements, from data on */
} gguf_kv;

typedef struct {
    gguf_str name;
    qtype type;                /* QT_COUNT: unknown, after gguf_open_any only */
    uint32_t type_id;          /* as the file has it */
    int n_dims;                /* 1 .. 4 */
    int64_t ne[GGUF_MAX_DIMS]; /* elements, fastest first; unused ones are 1; each >= 1 */
    uint64_t offset;           /* of data in the file's tensor data, a multiple of its alignment */
    const void *data;          /* aligned to the file's alignment where the file is mapped */
    size_t n_bytes;
} gguf_tensor;

typedef struct gguf gguf;
struct gguf {
    file_map map;
    uint32_t version;
    uint32_t alignment;
    size_t n_kv, n_tensors;
    gguf_kv *kv;                       /* [n_kv] in file order */
    gguf_tensor *tensors;              /* [n_tensors] in file order */
    uint64_t tensor_bytes;             /* sum of n_bytes */
    gguf *parts;                       /* [n_parts] the other files of a split model, */
    size_t n_parts;                    /* after gguf_join; their tensors are in `tensors` */
    uint32_t *kv_slots, *tensor_slots; /* hash tables, open addressing, index + 1; 0 = empty */
    size_t n_kv_slots, n_tensor_slots; /* powers of two */
    uint64_t hash_key[2];              /* differs from run to run: no file can aim at it */
    atomic_uchar *was_read;            /* [n_kv] gguf_find was asked for it */
    bool takes_any_type;               /* gguf_open_any */
    bool is_copy;                      /* gguf_open_copy */
};

/* On failure *g is closed and err says what and where: LORY_E_IO, _FORMAT (also big-endian, v1,
 * and files of other formats, named as what they are), _UNSUPPORTED (a tensor type), _MEMORY. */
bool gguf_open(gguf *g, const char *path, lory_err *err);
/* The same over a copy of the file in memory instead of a mapping. */
bool gguf_open_copy(gguf *g, const char *path, lory_err *err);
/* The same over bytes in memory, which stay the caller's, aligned as the tensors need to be;
 * `name` is the subject of errors. */
bool gguf_open_bytes(gguf *g, const void *bytes, size_t n, const char *name, lory_err *err);
/* For those who only look: tensors of types that lory does not know have neither type nor data. */
bool gguf_open_any(gguf *g, const char *path, lory_err *err);
/* Another file, in the way in which `like` was opened. */
bool gguf_open_as(gguf *g, const gguf *like, const char *path, lory_err *err);
void gguf_close(gguf *g);
void gguf_close_parts(gguf *g); /* gguf_close does it too */
const char *gguf_path(const gguf *g); /* as given to gguf_open: the subject of errors */

const gguf_kv *gguf_find(const gguf *g, const char *key); /* NULL when absent */
const gguf_tensor *gguf_find_tensor(const gguf *g, const char *name);
/* Whether anyone looked for kv[i], by gguf_find or a getter below. */
bool gguf_was_read(const gguf *g, size_t i);

/* Typed values. Absent: *value stays as it is (the caller's default), true. Present but of
 * another kind or out of range: LORY_E_FORMAT naming file, key, what was found. Integers of any
 * width convert where the value fits; floats accept integers and f64, and must be finite. */
bool gguf_get_uint(const gguf *g, const char *key, uint64_t max, uint64_t *value, lory_err *err);
bool gguf_get_f32(const gguf *g, const char *key, float *value, lory_err *err);
bool gguf_get_bool(const gguf *g, const char *key, bool *value, lory_err *err);
bool gguf_get_str(const gguf *g, const char *key, gguf_str *value, lory_err *err);
/* An array of `elem` elements (GGUF_I32 also takes GGUF_U32); *kv = NULL when absent. */
bool gguf_get_array(const gguf *g, const char *key, gguf_type elem, const gguf_kv **kv,
                    lory_err *err);

/* Opens the other files of a split model (NAME-00001-of-00003.gguf), which lie beside the first,
 * and puts their tensors into g's table; nothing where a model is whole. False, and *g as it was:
 * LORY_E_UNSUPPORTED for a file that is not the first, else as gguf_open, _FORMAT where the parts
 * do not belong together. */
bool gguf_join(gguf *g, lory_err *err);
bool gguf_open_whole(gguf *g, const char *path, lory_err *err); /* gguf_open, gguf_join */
/* Whether `path` is one of the other files, by links too, of a model whose first file is `first`:
 * by the names alone, nothing is opened. Without memory to ask, it may be. */
bool gguf_is_part(const char *first, const char *path);

/* Of all files of the model: their size; file_map_lock, file_map_will_need; and for bytes in one of
 * them file_map_touch, file_map_forget. */
uint64_t gguf_file_bytes(const gguf *g);
bool gguf_lock(const gguf *g, lory_err *err);
void gguf_will_need(const gguf *g);
void gguf_touch(const gguf *g, const void *p, size_t n_bytes);
void gguf_forget(const gguf *g, const void *p, size_t n_bytes);

/* Element i of an array, or a scalar with i = 0; kinds must fit (checked by the getters). */
int64_t gguf_int_at(const gguf_kv *kv, uint64_t i); /* any integer or bool kind */
double gguf_float_at(const gguf_kv *kv, uint64_t i);

/* Strings of an array, in order: for (gguf_str_iter it = gguf_strings(kv); gguf_next(&it, &s);) */
typedef struct {
    const unsigned char *at;
    uint64_t n_left;
} gguf_str_iter;
gguf_str_iter gguf_strings(const gguf_kv *kv);
bool gguf_next(gguf_str_iter *it, gguf_str *s);

/* What the tensors of each type come to. */
typedef struct {
    size_t n_tensors;
    uint64_t n_elems, n_bytes;
} gguf_type_use;
void gguf_count_types(const gguf *g, gguf_type_use use[QT_COUNT]);

const char *gguf_type_name(gguf_type t); /* "uint32", "array", ... */
size_t gguf_type_bytes(gguf_type t);     /* of one value; 0 for strings and arrays */
bool gguf_str_is(gguf_str a, const char *b);
bool gguf_str_ends(gguf_str a, const char *end);
bool gguf_str_has(gguf_str a, const char *part);
/* The name with '*' for numbers between dots: "blk.*.attn_q.weight". Returns how many bytes of out
 * [name.n] it takes. */
size_t gguf_name_pattern(gguf_str name, char *out);

#endif
