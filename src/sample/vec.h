/* vec.h - how the growing arrays of a grammar grow.
 * Layer: sample. */
#ifndef LORY_SAMPLE_VEC_H
#define LORY_SAMPLE_VEC_H

#include "base/mem.h"

/* Room for n_more elements of `size` bytes behind the first n of data[0..*cap): the array, which
 * may have moved, or NULL when memory can't be had (data then is as it was). */
static inline void *vec_room(void *data, size_t n, size_t *cap, size_t n_more, size_t size)
{
    size_t need, twice;
    if (!mem_add(n, n_more, &need)) return NULL;
    if (data && need <= *cap) return data;
    if (!mem_mul(*cap, 2, &twice)) return NULL;
    if (twice < 16) twice = 16;
    if (twice < need) twice = need;
    void *moved = mem_resize(data, n, twice, size);
    if (moved) *cap = twice;
    return moved;
}

#endif
