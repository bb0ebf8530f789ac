/* safetensors.h - safetensors files: a checked, mapped reader.
 * Layer: gguf. Format: github.com/huggingface/safetensors. Names lie in the header's tree, data in
 * the mapping; all of it is read-only and immutable once open, so any number of threads may read.
 *
 * safetensors_open checks every length, shape, offset and overlap; no other code needs to. */
#ifndef LORY_GGUF_SAFETENSORS_H
#define LORY_GGUF_SAFETENSORS_H

#include "base/file.h"
#include "gguf/gguf.h"
#include "text/json.h"

enum {
    ST_MAX_DIMS = 8,
    ST_MAX_HEADER_BYTES = 100 << 20, /* of the reference implementation */
    ST_MAX_HOLE_BYTES = 64,          /* between tensors, for alignment; the format has none */
};

typedef enum {
    ST_F64,
    ST_F32,
    ST_F16,
    ST_BF16,
    ST_F8_E4M3,
    ST_F8_E5M2,
    ST_F8_E8M0,
    ST_I64,
    ST_I32,
    ST_I16,
    ST_I8,
    ST_U64,
    ST_U32,
    ST_U16,
    ST_U8,
    ST_BOOL,
    ST_DTYPE_COUNT
} st_dtype;

typedef struct {
    gguf_str name; /* first: see name_table.h */
    st_dtype dtype;
    int n_dims;                 /* 0 .. ST_MAX_DIMS */
    int64_t shape[ST_MAX_DIMS]; /* slowest first, as the file has it; unused ones are 1 */
    int64_t n_elems;
    const unsigned char *data; /* unaligned */
    size_t n_bytes;
} st_tensor;

typedef struct {
    file_map map;
    json_doc header;
    size_t n_tensors;
    st_tensor *tensors; /* [n_tensors] in the order of their data */
} safetensors;

/* On failure *s is closed and err says what and where: LORY_E_IO, _FORMAT, _UNSUPPORTED (a dtype),
 * _MEMORY. Memory is proportional to the header. */
bool safetensors_open(safetensors *s, const char *path, lory_err *err);
/* The same over bytes in memory, which stay the caller's; `name` is the subject of errors. */
bool safetensors_open_bytes(safetensors *s, const void *bytes, size_t n, const char *name,
                            lory_err *err);
void safetensors_close(safetensors *s);

const char *st_dtype_name(st_dtype t); /* as files write it */
size_t st_dtype_bytes(st_dtype t);
bool st_dtype_is_float(st_dtype t);

/* Elements first .. first + n - 1 as floats; of any dtype. */
void st_to_f32(const st_tensor *t, int64_t first, int64_t n, float *out);

#endif
