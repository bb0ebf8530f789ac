/* merge.c - see merge.h. */
#include "token/merge.h"
#include "base/mem.h"
#include <string.h>

enum { SHORT_WORD = 32 }; /* symbols; up to here scanning an array beats the heap */
#define NO_PAIR UINT64_MAX

struct merge_entry {
    uint64_t key; /* priority << 32 | left symbol: the order of merging */
    uint32_t right, len;
    int32_t id;
};

/* Makes room for one more element of an array that doubles. */
static bool grow(void **p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return true;
    size_t new_cap = *cap ? *cap * 2 : 64;
    void *q = mem_resize(*p, *cap, new_cap, size);
    if (!q) return false;
    *p = q;
    *cap = new_cap;
    return true;
}

bool merge_put(merge_scratch *m, merge_symbol s)
{
    void *p = m->symbols;
    bool ok = grow(&p, m->n, &m->cap, sizeof s);
    m->symbols = p;
    if (ok) m->symbols[m->n++] = s;
    return ok;
}

void merge_free(merge_scratch *m)
{
    mem_free(m->symbols);
    mem_free(m->heap);
    mem_free(m->prev);
    mem_free(m->next);
    *m = (merge_scratch){ 0 };
}

/* ---- short words ------------------------------------------------------------------------- */

static uint64_t pair_key(const merge_scratch *m, size_t i, merge_pair_fn pair, void *user,
                         int32_t *id)
{
    uint32_t priority;
    const merge_symbol *s = &m->symbols[i];
    if (s[0].is_frozen || s[1].is_frozen || !pair(user, s, s + 1, &priority, id)) return NO_PAIR;
    return priority;
}

static void merge_short(merge_scratch *m, merge_pair_fn pair, void *user)
{
    uint64_t key[SHORT_WORD];
    int32_t id[SHORT_WORD];
    merge_symbol *s = m->symbols;
    for (size_t i = 0; i + 1 < m->n; i++) key[i] = pair_key(m, i, pair, user, &id[i]);
    while (m->n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < m->n; i++)
            if (key[i] < key[best]) best = i;
        if (key[best] == NO_PAIR) return;
        s[best].id = id[best];
        s[best].len += s[best + 1].len;
        m->n--;
        for (size_t i = best + 1; i < m->n; i++) {
            s[i] = s[i + 1];
            key[i - 1] = key[i];
            id[i - 1] = id[i];
        }
        /* key[best] is now of the pair behind; both neighbours' pairs are new. */
        if (best > 0) key[best - 1] = pair_key(m, best - 1, pair, user, &id[best - 1]);
        if (best + 1 < m->n) key[best] = pair_key(m, best, pair, user, &id[best]);
    }
}

/* ---- long words -------------------------------------------------------------------------- */

static bool heap_push(merge_scratch *m, merge_entry e)
{
    void *p = m->heap;
    bool ok = grow(&p, m->n_heap, &m->cap_heap, sizeof e);
    m->heap = p;
    if (!ok) return false;
    size_t i = m->n_heap++;
    for (; i > 0 && m->heap[(i - 1) / 2].key > e.key; i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = e;
    return true;
}

static merge_entry heap_pop(merge_scratch *m)
{
    merge_entry top = m->heap[0], last = m->heap[--m->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= m->n_heap) break;
        if (child + 1 < m->n_heap && m->heap[child + 1].key < m->heap[child].key) child++;
        if (m->heap[child].key >= last.key) break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

/* Puts the pair of two neighbours on the heap if it merges. */
static bool offer(merge_scratch *m, int32_t left, int32_t right, merge_pair_fn pair, void *user)
{
    uint32_t priority;
    merge_entry e;
    if (left < 0 || right < 0) return true;
    const merge_symbol *l = &m->symbols[left], *r = &m->symbols[right];
    if (l->is_frozen || r->is_frozen || !pair(user, l, r, &priority, &e.id)) return true;
    e.key = (uint64_t)priority << 32 | (uint32_t)left;
    e.right = (uint32_t)right;
    e.len = l->len + r->len;
    return heap_push(m, e);
}

static bool make_links(merge_scratch *m)
{
    if (m->n > m->cap_links) {
        mem_free(m->prev);
        mem_free(m->next);
        m->prev = mem_new(m->n, sizeof *m->prev);
        m->next = mem_new(m->n, sizeof *m->next);
        m->cap_links = m->prev && m->next ? m->n : 0;
        if (!m->cap_links) return false;
    }
    for (size_t i = 0; i < m->n; i++) {
        m->prev[i] = (int32_t)i - 1;
        m->next[i] = i + 1 < m->n ? (int32_t)i + 1 : -1;
    }
    return true;
}

/* A symbol of length 0 has been merged away; an entry whose lengths no longer add up is stale. */
static bool is_stale(const merge_scratch *m, const merge_entry *e)
{
    const merge_symbol *l = &m->symbols[(uint32_t)e->key], *r = &m->symbols[e->right];
    return l->len == 0 || r->len == 0 || l->len + r->len != e->len;
}

static bool merge_long(merge_scratch *m, merge_pair_fn pair, void *user)
{
    m->n_heap = 0;
    if (!make_links(m)) return false;
    for (size_t i = 0; i + 1 < m->n; i++)
        if (!offer(m, (int32_t)i, (int32_t)i + 1, pair, user)) return false;
    while (m->n_heap > 0) {
        merge_entry e = heap_pop(m);
        if (is_stale(m, &e)) continue;
        int32_t left = (int32_t)(uint32_t)e.key, right = (int32_t)e.right;
        m->symbols[left].len = e.len;
        m->symbols[left].id = e.id;
        m->symbols[right].len = 0;
        m->next[left] = m->next[right];
        if (m->next[right] >= 0) m->prev[m->next[right]] = left;
        if (!offer(m, m->prev[left], left, pair, user)
            || !offer(m, left, m->next[left], pair, user))
            return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->symbols[i].len) m->symbols[n++] = m->symbols[i];
    m->n = n;
    return true;
}

bool merge_run(merge_scratch *m, merge_pair_fn pair, void *user)
{
    if (m->n > SHORT_WORD) return merge_long(m, pair, user);
    merge_short(m, pair, user);
    return true;
}
