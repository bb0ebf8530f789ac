/* logits_file.h - the logits of a scored text, kept to compare another model with.
 *
 * Little-endian: a header of 64 bytes
 *      0  "LORYLGTS"
 *      8  u32 version, 1
 *     12  u32 n_vocab
 *     16  u64 n_rows: tokens that were scored
 *     24  u32 window in tokens, u32 1 when all tokens but a window's first were scored
 *     32  u64 FNV-1a of the ids of the text, 4 bytes each
 *     40  zeros
 * and then n_rows rows of n_vocab f32, in the order of the text: the logits that foretell each
 * scored token. The file ends with the last row.
 * Layer: cli. */
#ifndef LORY_CLI_LOGITS_FILE_H
#define LORY_CLI_LOGITS_FILE_H

#include "base/file.h"
#include "lory.h"

/* What two runs must agree in to be compared. */
typedef struct {
    uint32_t n_vocab, window, all_tokens;
    uint64_t n_rows, ids_hash;
} logits_shape;

uint64_t logits_hash_ids(const lory_token *id, size_t n);

/* Writing: the header, then a file_write of each row. The file appears when it is committed. */
bool logits_file_create(file_new *f, const char *path, const logits_shape *shape, lory_err *err);
bool logits_file_put(file_new *f, const float *logits, int n_vocab, lory_err *err);

/* Maps a file and checks that it is one, whole, and of this shape; rows are then read in place. */
bool logits_file_open(file_map *f, const char *path, const logits_shape *shape, lory_err *err);
/* Row i, unpacked into row [n_vocab]. */
void logits_file_get(const file_map *f, uint64_t i, int n_vocab, float *row);

#endif
