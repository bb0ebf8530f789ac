/* states_check.h - the states of recurrent layers, whatever their kind: a session that is cut back
 * or saved, and sequences that begin alike, give the bits of a text that is read in one go. */
#ifndef LORY_TESTS_STATES_CHECK_H
#define LORY_TESTS_STATES_CHECK_H

#include "hf_reference.h"

/* Of n_layer layers whose state has n_floats: each begins on a cache line. */
static inline size_t states_bytes(int n_layer, size_t n_floats)
{
    return (size_t)n_layer * ((n_floats + 15) / 16 * 16) * sizeof(float);
}

/* Of a file with REF_VOCAB tokens; cell_bytes: of one sequence's states. */
void states_check_file(const char *path, size_t cell_bytes);
/* Of a made-up model. */
void states_check(const ref_spec *s, const char *name, size_t cell_bytes);

#endif
