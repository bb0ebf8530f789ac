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

typedef struct {
    const vocab *v;
    const str_map *map;
    pair_bytes_fn put_bytes;
    buf bytes; /* of one merge, left then right */
} merge_reader;

static bool fail_merge(const merge_reader *r, gguf_str s, uint32_t rank, const char *what,
                       lory_err *err)
{
    return err_set(err, LORY_E_FORMAT, "%s: merge %" PRIu32 " %s (\"%.*s\")", r->v->path, rank,
                   what, s.n < 64 ? (int)s.n : 64, s.s);
}

static bool read_merge(pair_table *p, merge_reader *r, gguf_str s, uint32_t rank, lory_err *err)
{
    const char *blank = s.n > 1 ? memchr(s.s + 1, ' ', s.n - 1) : NULL;
    if (!blank) return fail_merge(r, s, rank, "is not two tokens", err);
    buf_clear(&r->bytes);
    size_t n_before = (size_t)(blank - s.s);
    r->put_bytes(&r->bytes, s.s, n_before);
    size_t n_left = r->bytes.len;
    if (!r->put_bytes(&r->bytes, blank + 1, s.n - n_before - 1))
        return err_set(err, LORY_E_MEMORY, "%s: no memory for the merges", r->v->path);
    const char *bytes = r->bytes.data ? r->bytes.data : "";
    int32_t left = str_map_find(r->map, bytes, n_left);
    int32_t right = str_map_find(r->map, bytes + n_left, r->bytes.len - n_left);
    int32_t id = str_map_find(r->map, bytes, r->bytes.len);
    if (left < 0 || right < 0 || id < 0)
        return fail_merge(r, s, rank, "has a part that is no token", err);
    return put_pair(p, (pair_slot){ (uint32_t)left + 1, (uint32_t)right + 1, rank, id })
           || fail_merge(r, s, rank, "is one of too many that were made to collide", err);
}

bool pair_table_init(pair_table *p, const vocab *v, const str_map *map, pair_bytes_fn put_bytes,
                     lory_err *err)
{
    merge_reader r = { v, map, put_bytes, { 0 } };
    uint64_t n = v->merges->n;
    size_t n_slots = 16;
    if (n > INT32_MAX)
        return err_set(err, LORY_E_FORMAT, "%s: %" PRIu64 " merges, expected at most %d", v->path,
                       n, INT32_MAX);
    while (n_slots < n * 2) n_slots *= 2;
    *p = (pair_table){ mem_new(n_slots, sizeof *p->slots), n_slots - 1 };
    if (!p->slots) return err_set(err, LORY_E_MEMORY, "%s: no memory for the merges", v->path);
    gguf_str_iter it = gguf_strings(v->merges);
    gguf_str s;
    bool ok = true;
    for (uint32_t rank = 0; ok && gguf_next(&it, &s); rank++) ok = read_merge(p, &r, s, rank, err);
    buf_free(&r.bytes);
    return ok;
}

void pair_table_free(pair_table *p)
{
    mem_free(p->slots);
    *p = (pair_table){ 0 };
}
