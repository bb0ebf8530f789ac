/* gguf_write.h - writes a GGUF file, version 3, little-endian, alignment 32, as a stream.
 * Layer: gguf. Keys and tensor infos are kept in memory until the data begins, because they come
 * first in the file; tensor data goes straight to the file. The file appears whole or not at all.
 *
 *     gguf_writer w;
 *     if (!gguf_create(&w, "out.gguf", err)) return false;
 *     gguf_put_str(&w, "general.architecture", "llama");
 *     gguf_add_tensor(&w, "token_embd.weight", QT_F32, 2, ne);
 *     bool ok = gguf_begin_data(&w, err) && gguf_write_data(&w, rows, n_bytes, err)
 *            && gguf_commit(&w, err);
 *     if (!ok) gguf_abandon(&w);
 *
 * Putting keys and adding tensors can't be seen to fail: what went wrong is told by
 * gguf_begin_data. One thread at a time. */
#ifndef LORY_GGUF_GGUF_WRITE_H
#define LORY_GGUF_GGUF_WRITE_H

#include "base/buf.h"
#include "base/file.h"
#include "gguf/gguf.h"

typedef struct {
    file_new file;
    buf keys, infos; /* as they will stand in the file */
    buf sizes;       /* [n_tensors] uint64_t: bytes of each tensor */
    uint64_t n_keys, n_tensors;
    uint64_t data_bytes; /* of the tensors added so far, each padded */
    uint64_t i_tensor;   /* whose data comes next */
    uint64_t n_left;     /* bytes of it still to come */
    bool in_data;        /* after gguf_begin_data */
    lory_err first;      /* of gguf_put_* and gguf_add_tensor; code LORY_OK: none */
} gguf_writer;

/* Opens a temporary file beside `path`. On failure nothing is left open. */
bool gguf_create(gguf_writer *w, const char *path, lory_err *err);

void gguf_put_u32(gguf_writer *w, const char *key, uint32_t value);
void gguf_put_f32(gguf_writer *w, const char *key, float value);
void gguf_put_bool(gguf_writer *w, const char *key, bool value);
void gguf_put_str(gguf_writer *w, const char *key, const char *value); /* NUL-terminated */
void gguf_put_bytes(gguf_writer *w, const char *key, gguf_str value);  /* a string of any bytes */
void gguf_put_i32s(gguf_writer *w, const char *key, const int32_t *values, size_t n);
void gguf_put_bools(gguf_writer *w, const char *key, const bool *values, size_t n);
void gguf_put_f32s(gguf_writer *w, const char *key, const float *values, size_t n);
void gguf_put_strs(gguf_writer *w, const char *key, const gguf_str *values, size_t n);
void gguf_put_kv(gguf_writer *w, const gguf_kv *kv); /* as it stands in the file it was read from */

/* Announces a tensor of ne[n_dims] elements, fastest first. Data follows in the order of adding.
 * Wrong: rows that are no whole blocks, sizes below 1, a size that does not fit. */
void gguf_add_tensor(gguf_writer *w, gguf_str name, qtype type, int n_dims, const int64_t *ne);

/* Writes all that comes before the data. Fails with what went wrong since gguf_create, too. */
bool gguf_begin_data(gguf_writer *w, lory_err *err);
/* The next n_bytes of the tensor whose turn it is, in any number of pieces; a piece may not reach
 * into the next tensor (LORY_E_ARGUMENT). */
bool gguf_write_data(gguf_writer *w, const void *bytes, size_t n_bytes, lory_err *err);
/* Gives the file its name. LORY_E_ARGUMENT when announced data is missing. Closes w either way. */
bool gguf_commit(gguf_writer *w, lory_err *err);
/* Removes what was written. Also good on a zeroed, a failed or a committed writer. */
void gguf_abandon(gguf_writer *w);

#endif
