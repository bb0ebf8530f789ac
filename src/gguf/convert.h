/* convert.h - makes a GGUF file from a llama2.c checkpoint or from another GGUF file.
 * Layer: gguf. The output appears whole or not at all; memory does not grow with the tensors. */
#ifndef LORY_GGUF_CONVERT_H
#define LORY_GGUF_CONVERT_H

#include "gguf/mix.h"
#include "gguf/retype.h"

/* Asked when the output is whole, before it takes its place: whether it may. Until it is put there
 * it is at `path`. */
typedef bool (*convert_check)(const void *user, const char *path, lory_err *err);

typedef struct {
    const char *out;           /* the file to make */
    const char *tokenizer;     /* tokenizer.bin of a checkpoint; NULL: the one beside it */
    qtype type;                /* wanted, or RETYPE_KEEP: as it is in the source (a checkpoint's is
                                 f32: the scales of its version 2 do not fit GGUF's int8 blocks) */
    const mix_params *mix;     /* instead of type, for GGUF files; else NULL */
    const imatrix *importance; /* may be NULL */
    int n_threads;             /* 0 = 1 */
    retype_progress progress;  /* may be NULL */
    void *user;                /* for progress */
    convert_check check;       /* of a folder's model; may be NULL */
    const void *check_user;
} convert_params;

/* `src` is taken for what its first bytes say. Errors name the source, or what they are about. */
bool convert_file(const char *src, const convert_params *p, lory_err *err);

#endif
