/* retype.h - writes tensors to a GGUF file in other types, row by row.
 * Layer: gguf. Memory is some megabytes, or a few rows, whatever the size of the tensors. The bytes
 * do not depend on the number of threads. */
#ifndef LORY_GGUF_RETYPE_H
#define LORY_GGUF_RETYPE_H

#include "gguf/gguf_write.h"
#include "gguf/imatrix.h"

#define RETYPE_KEEP QT_COUNT /* in place of a type: each tensor keeps its own */

/* Row `row` of a tensor (of all ne[1] * ne[2] * ne[3]) as ne[0] floats; called by several threads
 * at once. */
typedef void (*retype_row)(const void *source, const gguf_tensor *t, int64_t row, float *out);
/* The same as t->type has it in a file, where the source can give that; false: it can't. */
typedef bool (*retype_bytes)(const void *source, const gguf_tensor *t, int64_t row, void *out);
/* Told when all of a tensor is written. */
typedef void (*retype_done)(const void *source, const gguf_tensor *t);
/* Told now and then; false ends the work with LORY_E_INTERRUPTED. */
typedef bool (*retype_progress)(void *user, uint64_t bytes_done, uint64_t bytes_total);

typedef struct {
    const gguf_tensor *tensors; /* [n] */
    size_t n;
    qtype type;                /* wanted, or RETYPE_KEEP: retype_choice for each tensor; */
    const qtype *types;        /* or [n] the types themselves; NULL: by `type` */
    const imatrix *importance; /* of the tensors that have one there; may be NULL */
    int n_threads;             /* 0 = 1 */
    retype_row row;            /* NULL: t->data holds rows of t->type, as in a GGUF file */
    retype_bytes bytes;        /* NULL, or: asked first of tensors that keep their type */
    retype_done done;          /* may be NULL */
    const void *source;        /* for row, bytes and done */
    retype_progress progress;  /* may be NULL */
    void *user;                /* for progress */
} retype_job;

/* Whether it is one of the few matrices that engines use as floats: never quantised. */
bool retype_is_precise(gguf_str name);
/* The type in which a tensor will be written. Vectors and norms become f32; what is precise keeps
 * its float type, or becomes f32, when the wanted type is none; rows that are no whole number of
 * the wanted type's blocks become f16. */
qtype retype_choice(const gguf_tensor *t, qtype wanted);

/* LORY_E_ARGUMENT when the importance matrix is of another model. */
bool retype_check(const retype_job *job, lory_err *err);
/* Before gguf_begin_data: announces the tensors in their order. */
void retype_announce(const retype_job *job, gguf_writer *w);
/* After it: writes them. LORY_E_FORMAT names a value that is no number, or that the new type can't
 * hold. */
bool retype_write(const retype_job *job, gguf_writer *w, lory_err *err);

/* llama.cpp's number of a file that is mostly of a type (general.file_type); -1: it has none. */
int retype_file_type(qtype t);

#endif
