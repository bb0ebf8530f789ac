/* names.h - the names of a family's tensors: which row of its tables a name is of, and what it
 * becomes. Layer: convert. */
#ifndef LORY_CONVERT_NAMES_H
#define LORY_CONVERT_NAMES_H

#include "convert/family.h"

enum { HF_MAX_NAME = 256 };

typedef struct {
    const hf_row *row;
    int layer, expert;  /* -1: the name has none */
    const char *suffix; /* ".weight", ".bias" or "" */
} hf_match;

/* The first row of the family that a name is of, or NULL. Others of the same `from` may follow. */
const hf_row *names_match(const hf_family *f, const char *name, hf_match *m);

/* "blk.3.attn_q" of "blk.%d.attn_q"; of experts the first. Returns out. */
const char *names_fill(const char *pattern, int layer, char out[HF_MAX_NAME]);

#endif
