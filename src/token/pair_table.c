/* pair_table.c - see pair_table.h. */
#include "token/pair_table.h"
#include "base/err.h"
#include "base/mem.h"
#include <inttypes.h>

static bool put_pair(pair_table *p, pair_slot e)
{
    size_t i = pair_hash(e.left, e.right) & p->mask, n_probes = 0;
    for (; p->slots[i].left; i = (i + 1) & p->mask) {
        if (p->slots[i].left == e.left && p->slots[i].right == e.right) return true;
        if (++n_probes > LOOKUP_MAX_PROBES) return false;
    }
    p->slots[i] = e;
    return true;
}

/* Merges are read in batches: finding three tokens and putting a pair is all waiting for memory,
 * so each step asks for what the next one will read, for the whole batch. */
enum { BATCH = 32, N_PARTS = 3 }; /* left, right, and both together */

typedef struct {
    gguf_str text;
    size_t start[N_PARTS], n[N_PARTS]; /* bytes in merge_reader.bytes */
    uint64_t hash[N_PARTS];
    int32_t id[N_PARTS];
} merge;

typedef struct {
    const vocab *v;
    const str_map *map;
    pair_bytes_fn put_bytes;
    buf bytes; /* of the batch */
    merge batch[BATCH];
    size_t n;
    uint32_t rank; /* of the first of the batch */
} merge_reader;

static bool fail_merge(const merge_reader *r, size_t i, const char *what, lory_err *err)
{
    gguf_str s = r->batch[i].text;
    return err_set(err, LORY_E_FORMAT, "%s: merge %" PRIu32 " %s (\"%.*s\")", r->v->path,
                   r->rank + (uint32_t)i, what, s.n < 64 ? (int)s.n : 64, s.s);
}

static bool split_merge(merge_reader *r, size_t i, lory_err *err)
{
    merge *m = &r->batch[i];
    gguf_str s = m->text;
    const char *blank = s.n > 1 ? memchr(s.s + 1, ' ', s.n - 1) : NULL;
    if (!blank) return fail_merge(r, i, "is not two tokens", err);
    size_t n_before = (size_t)(blank - s.s), start = r->bytes.len;
    r->put_bytes(&r->bytes, s.s, n_before);
    size_t middle = r->bytes.len;
    if (!r->put_bytes(&r->bytes, blank + 1, s.n - n_before - 1))
        return err_set(err, LORY_E_MEMORY, "%s: no memory for the merges", r->v->path);
    m->start[0] = m->start[2] = start;
    m->start[1] = middle;
    m->n[0] = middle - start;
    m->n[1] = r->bytes.len - middle;
    m->n[2] = r->bytes.len - start;
    return true;
}

static void find_parts(merge_reader *r)
{
    const char *bytes = r->bytes.data ? r->bytes.data : "";
    for (size_t i = 0; i < r->n; i++)
        for (int k = 0; k < N_PARTS; k++) {
            merge *m = &r->batch[i];
            m->hash[k] = hash_bytes(bytes + m->start[k], m->n[k]);
            str_map_prefetch_slot(r->map, m->hash[k]);
        }
    for (size_t i = 0; i < r->n; i++)
        for (int k = 0; k < N_PARTS; k++) str_map_prefetch_start(r->map, r->batch[i].hash[k]);
    for (size_t i = 0; i < r->n; i++)
        for (int k = 0; k < N_PARTS; k++) str_map_prefetch_bytes(r->map, r->batch[i].hash[k]);
    for (size_t i = 0; i < r->n; i++)
        for (int k = 0; k < N_PARTS; k++) {
            merge *m = &r->batch[i];
            m->id[k] = str_map_find_hashed(r->map, m->hash[k], bytes + m->start[k], m->n[k]);
        }
}

static bool put_pairs(pair_table *p, const merge_reader *r, lory_err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        const merge *m = &r->batch[i];
        if (m->id[0] < 0 || m->id[1] < 0 || m->id[2] < 0)
            return fail_merge(r, i, "has a part that is no token", err);
        __builtin_prefetch(
            &p->slots[pair_hash((uint32_t)m->id[0] + 1, (uint32_t)m->id[1] + 1) & p->mask]);
    }
    for (size_t i = 0; i < r->n; i++) {
        const merge *m = &r->batch[i];
        pair_slot e = { (uint32_t)m->id[0] + 1, (uint32_t)m->id[1] + 1, r->rank + (uint32_t)i,
                        m->id[2] };
        if (!put_pair(p, e))
            return fail_merge(r, i, "is one of too many that were made to collide", err);
    }
    return true;
}

static bool read_batch(pair_table *p, merge_reader *r, gguf_str_iter *it, lory_err *err)
{
    buf_clear(&r->bytes);
    for (r->n = 0; r->n < BATCH && gguf_next(it, &r->batch[r->n].text); r->n++)
        if (!split_merge(r, r->n, err)) return false;
    find_parts(r);
    return put_pairs(p, r, err);
}

bool pair_table_init(pair_table *p, const vocab *v, const str_map *map, pair_bytes_fn put_bytes,
                     lory_err *err)
{
    merge_reader r = { .v = v, .map = map, .put_bytes = put_bytes };
    uint64_t n = v->merges->n;
    size_t n_slots = 16;
    if (n > INT32_MAX)
        return err_set(err, LORY_E_FORMAT, "%s: %" PRIu64 " merges, expected at most %d", v->path,
                       n, INT32_MAX);
    while (n_slots < n + n / 2) n_slots *= 2;
    *p = (pair_table){ mem_new(n_slots, sizeof *p->slots), n_slots - 1 };
    if (!p->slots) return err_set(err, LORY_E_MEMORY, "%s: no memory for the merges", v->path);
    gguf_str_iter it = gguf_strings(v->merges);
    bool ok = true;
    for (; ok && r.rank < n; r.rank += BATCH) ok = read_batch(p, &r, &it, err);
    buf_free(&r.bytes);
    return ok;
}

void pair_table_free(pair_table *p)
{
    mem_free(p->slots);
    *p = (pair_table){ 0 };
}
