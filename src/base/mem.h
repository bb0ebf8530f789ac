/* mem.h - memory: overflow-checked sizes, aligned blocks, an arena for things that die together.
 * Layer: base. Every function that allocates can fail; none aborts. */
#ifndef LORY_BASE_MEM_H
#define LORY_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEM_ALIGN = 64 }; /* bytes: one cache line, one AVX-512 vector */

/* *out = a * b; false (and *out untouched) when the product does not fit. */
bool mem_mul(size_t a, size_t b, size_t *out);
/* *out = a + b; false when the sum does not fit. */
bool mem_add(size_t a, size_t b, size_t *out);

/* n * size bytes, zeroed, aligned to MEM_ALIGN; NULL when it can't be had or overflows. A request
 * of 0 bytes gives a unique block. Free with mem_free, which accepts NULL. */
void *mem_new(size_t n, size_t size);
void *mem_resize(void *p, size_t n_old, size_t n_new, size_t size); /* NULL leaves p as it was */
void mem_free(void *p);

/* n_bytes of zeros whose pages take memory only when they are first touched; aligned to a page.
 * NULL on failure. Free with mem_free_lazy and the same size; not counted below. */
void *mem_new_lazy(size_t n_bytes);
void mem_free_lazy(void *p, size_t n_bytes); /* p may be NULL */

/* Asks the system to back n_bytes of a lazy block from p on by large pages, where it has them: who
 * reads them through waits less for translations of addresses. Memory is then taken by 2 MB, but
 * none outside of the stretch. */
void mem_prefer_large(void *p, size_t n_bytes);

/* Cuts one block into aligned stretches: the same code measures a layout (at == NULL) and assigns
 * it. `used` saturates at SIZE_MAX, so that an overflow is an impossible request. */
typedef struct {
    unsigned char *at; /* the block, aligned to MEM_ALIGN; NULL = measure */
    size_t used;       /* bytes so far */
} mem_carver;
void *mem_carve(mem_carver *c, size_t n, size_t size); /* n * size bytes; NULL when measuring */

/* The n-th allocation from now fails, and all after it or it alone; 0 = none. For tests of error
 * paths. */
void mem_fail_at(uint64_t n);
void mem_fail_once(uint64_t n);

/* Bytes in live mem_new/mem_resize blocks, now and at most. Thread-safe. */
size_t mem_live_bytes(void);
size_t mem_peak_bytes(void);

/* An arena: blocks given out one after another, all freed at once. A zeroed one is empty. */
typedef struct mem_chunk mem_chunk;
typedef struct {
    mem_chunk *head;
} mem_arena;
void *arena_new(mem_arena *a, size_t n, size_t size); /* zeroed, aligned to 16; NULL on failure */
char *arena_strndup(mem_arena *a, const char *s, size_t n); /* NUL-terminated copy */
void arena_free(mem_arena *a);

#endif
