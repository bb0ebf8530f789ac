/* mem.c - see mem.h. A block starts at a multiple of MEM_ALIGN within what calloc gave,
 * a header before it. */
#include "base/mem.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_size_t live_bytes, peak_bytes;
static atomic_uint_fast64_t fail_at; /* allocations left before failing, plus 1; 0 = off */
static atomic_bool fails_once;

bool mem_mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

bool mem_add(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

void mem_fail_at(uint64_t n)
{
    atomic_store(&fails_once, false);
    atomic_store(&fail_at, n ? n + 1 : 0);
}

void mem_fail_once(uint64_t n)
{
    mem_fail_at(n);
    atomic_store(&fails_once, true);
}

static bool must_fail(void)
{
    uint_fast64_t left = atomic_load(&fail_at);
    if (left == 0) return false;
    if (left > 2) atomic_store(&fail_at, left - 1);
    else if (atomic_load(&fails_once)) atomic_store(&fail_at, 0);
    return left <= 2;
}

static void count(size_t n_bytes)
{
    size_t live = atomic_fetch_add(&live_bytes, n_bytes) + n_bytes;
    size_t peak = atomic_load(&peak_bytes);
    while (peak < live && !atomic_compare_exchange_weak(&peak_bytes, &peak, live)) {
    }
}

/* What lies just before each block. */
typedef struct {
    void *base; /* what calloc gave */
    size_t n_bytes;
} header;

/* calloc, not memset: the pages of a large block are zero, and not there, until they are used. */
void *mem_new(size_t n, size_t size)
{
    size_t n_bytes, total;
    if (!mem_mul(n, size, &n_bytes) || !mem_add(n_bytes, sizeof(header) + MEM_ALIGN, &total)
        || must_fail())
        return NULL;
    header h = { calloc(1, total), n_bytes };
    if (!h.base) return NULL;
    unsigned char *p = (unsigned char *)h.base + sizeof h;
    p += -(uintptr_t)p % MEM_ALIGN;
    memcpy(p - sizeof h, &h, sizeof h);
    count(n_bytes);
    return p;
}

void *mem_resize(void *p, size_t n_old, size_t n_new, size_t size)
{
    void *q = mem_new(n_new, size);
    if (!q) return NULL;
    if (p) memcpy(q, p, (n_old < n_new ? n_old : n_new) * size);
    mem_free(p);
    return q;
}

void mem_free(void *p)
{
    header h;
    if (!p) return;
    memcpy(&h, (unsigned char *)p - sizeof h, sizeof h);
    atomic_fetch_sub(&live_bytes, h.n_bytes);
    free(h.base);
}

void *mem_new_lazy(size_t n_bytes)
{
    if (must_fail()) return NULL;
    void *p = mmap(NULL, n_bytes ? n_bytes : 1, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void mem_free_lazy(void *p, size_t n_bytes)
{
    if (p) munmap(p, n_bytes ? n_bytes : 1);
}

void mem_prefer_large(void *p, size_t n_bytes)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t large = (uintptr_t)2 << 20, at = (uintptr_t)p;
    const uintptr_t begin = (at + large - 1) / large * large, end = (at + n_bytes) / large * large;
    if (begin < end) (void)madvise((char *)p + (begin - at), end - begin, MADV_HUGEPAGE);
#else
    (void)p, (void)n_bytes;
#endif
}

void *mem_carve(mem_carver *c, size_t n, size_t size)
{
    size_t n_bytes, used;
    void *p = c->at ? c->at + c->used : NULL;
    bool fits = mem_mul(n, size, &n_bytes) && mem_add(n_bytes, MEM_ALIGN - 1, &n_bytes)
                && mem_add(c->used, n_bytes - n_bytes % MEM_ALIGN, &used);
    c->used = fits ? used : SIZE_MAX;
    return p;
}

size_t mem_live_bytes(void)
{
    return atomic_load(&live_bytes);
}

size_t mem_peak_bytes(void)
{
    return atomic_load(&peak_bytes);
}

struct mem_chunk {
    mem_chunk *next;
    size_t used, size; /* bytes of data */
    _Alignas(16) unsigned char data[];
};

void *arena_new(mem_arena *a, size_t n, size_t size)
{
    enum { FIRST_BYTES = 1024, LATER_BYTES = 64 * 1024 - 256 };
    size_t n_bytes, total;
    if (!mem_mul(n, size, &n_bytes) || !mem_add(n_bytes, 15, &n_bytes)) return NULL;
    n_bytes -= n_bytes % 16;
    if (!a->head || a->head->size - a->head->used < n_bytes) {
        size_t data_bytes = a->head ? 2 * a->head->size : FIRST_BYTES; /* many have little */
        if (data_bytes > LATER_BYTES) data_bytes = LATER_BYTES;
        if (data_bytes < n_bytes) data_bytes = n_bytes;
        if (!mem_add(data_bytes, sizeof(mem_chunk), &total)) return NULL;
        mem_chunk *c = mem_new(total, 1);
        if (!c) return NULL;
        c->size = data_bytes;
        c->next = a->head;
        a->head = c;
    }
    void *p = a->head->data + a->head->used;
    a->head->used += n_bytes;
    return p;
}

char *arena_strndup(mem_arena *a, const char *s, size_t n)
{
    size_t n_bytes;
    char *copy = mem_add(n, 1, &n_bytes) ? arena_new(a, n_bytes, 1) : NULL;
    if (copy) memcpy(copy, s, n);
    return copy;
}

void arena_free(mem_arena *a)
{
    for (mem_chunk *c = a->head, *next; c; c = next) {
        next = c->next;
        mem_free(c);
    }
    a->head = NULL;
}
