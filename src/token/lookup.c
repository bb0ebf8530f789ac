/* lookup.c - see lookup.h. */
#include "token/lookup.h"
#include "base/err.h"
#include "base/mem.h"

/* ---- map --------------------------------------------------------------------------------- */

bool str_map_init(str_map *m, const str_table *table, lory_err *err)
{
    size_t n_slots = 16;
    while (n_slots < table->n + table->n / 2) n_slots *= 2;
    *m = (str_map){ .table = *table, .mask = n_slots - 1 };
    m->slots = mem_new(n_slots, sizeof *m->slots);
    return m->slots || err_set(err, LORY_E_MEMORY, "tokenizer: no memory for %zu slots", n_slots);
}

bool str_map_add(str_map *m, size_t index, lory_err *err)
{
    size_t n, n_other;
    const char *s = str_at(&m->table, index, &n);
    uint64_t hash = hash_bytes(s, n);
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash & m->mask, probes = 0;; i = (i + 1) & m->mask, probes++) {
        str_slot *slot = &m->slots[i];
        if (probes == LOOKUP_MAX_PROBES)
            return err_set(err, LORY_E_FORMAT,
                           "tokenizer: token %zu is one of too many that "
                           "were made to collide",
                           index);
        if (slot->index == 0) {
            *slot = (str_slot){ tag, (uint32_t)index + 1 };
            return true;
        }
        if (slot->tag != tag) continue;
        const char *other = str_at(&m->table, slot->index - 1, &n_other);
        if (n_other == n && memcmp(other, s, n) == 0) return true;
    }
}

void str_map_free(str_map *m)
{
    mem_free(m->slots);
    *m = (str_map){ 0 };
}

int32_t str_map_find_hashed(const str_map *m, uint64_t hash, const char *s, size_t n)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    size_t n_other;
    for (size_t i = hash & m->mask;; i = (i + 1) & m->mask) {
        const str_slot *slot = &m->slots[i];
        if (slot->index == 0) return -1;
        if (slot->tag != tag) continue;
        const char *other = str_at(&m->table, slot->index - 1, &n_other);
        if (n_other == n && memcmp(other, s, n) == 0) return (int32_t)slot->index - 1;
    }
}

/* ---- trie -------------------------------------------------------------------------------- */

static size_t edge_slot(uint32_t key, size_t mask)
{
    return hash_mix(key) >> 20 & mask;
}

static bool no_memory(lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "tokenizer: no memory for the trie of tokens");
}

bool trie_init(trie *t, lory_err *err)
{
    enum { N_EDGES = 64, N_NODES = 64 };
    *t = (trie){ .mask = N_EDGES - 1, .n_nodes = 1, .cap_nodes = N_NODES };
    t->edges = mem_new(N_EDGES, sizeof *t->edges);
    t->value = mem_new(N_NODES, sizeof *t->value);
    if (!t->edges || !t->value) {
        trie_free(t);
        return no_memory(err);
    }
    t->value[TRIE_ROOT] = -1;
    return true;
}

void trie_free(trie *t)
{
    mem_free(t->edges);
    mem_free(t->value);
    *t = (trie){ 0 };
}

static void put_edge(trie_edge *edges, size_t mask, trie_edge e)
{
    size_t i = edge_slot(e.key, mask);
    while (edges[i].key) i = (i + 1) & mask;
    edges[i] = e;
}

static bool grow_edges(trie *t)
{
    size_t mask = t->mask * 2 + 1;
    trie_edge *edges = mem_new(mask + 1, sizeof *edges);
    if (!edges) return false;
    for (size_t i = 0; i <= t->mask; i++)
        if (t->edges[i].key) put_edge(edges, mask, t->edges[i]);
    mem_free(t->edges);
    t->edges = edges;
    t->mask = mask;
    return true;
}

static bool grow_nodes(trie *t)
{
    int32_t *value = mem_resize(t->value, t->cap_nodes, t->cap_nodes * 2, sizeof *value);
    if (!value) return false;
    t->value = value;
    t->cap_nodes *= 2;
    return true;
}

/* A new node below `node`. */
static bool add_node(trie *t, uint32_t node, unsigned char c, uint32_t *new_node, lory_err *err)
{
    if (t->n_nodes == TRIE_MAX_NODES)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "tokenizer: the tokens need a trie of more than "
                       "%d nodes",
                       TRIE_MAX_NODES);
    if (t->n_nodes == t->cap_nodes && !grow_nodes(t)) return no_memory(err);
    if (t->n_edges * 2 > t->mask && !grow_edges(t)) return no_memory(err);
    *new_node = (uint32_t)t->n_nodes++;
    t->value[*new_node] = -1;
    t->n_edges++;
    if (node == TRIE_ROOT)
        t->first[c] = *new_node;
    else
        put_edge(t->edges, t->mask, (trie_edge){ (node << 8 | c) + 1, *new_node });
    return true;
}

bool trie_add(trie *t, const char *s, size_t n, int32_t value, lory_err *err)
{
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        uint32_t below = trie_step(t, node, c);
        if (!below && !add_node(t, node, c, &below, err)) return false;
        node = below;
    }
    if (t->value[node] < 0) t->value[node] = value;
    return true;
}

uint32_t trie_step_below(const trie *t, uint32_t node, unsigned char c)
{
    uint32_t key = (node << 8 | c) + 1;
    for (size_t i = edge_slot(key, t->mask); t->edges[i].key; i = (i + 1) & t->mask)
        if (t->edges[i].key == key) return t->edges[i].node;
    return 0;
}

size_t trie_longest(const trie *t, const char *s, size_t n, int32_t *value)
{
    uint32_t node = TRIE_ROOT;
    size_t len = 0;
    for (size_t i = 0; i < n && (node = trie_step(t, node, (unsigned char)s[i])); i++) {
        if (t->value[node] < 0) continue;
        len = i + 1;
        *value = t->value[node];
    }
    return len;
}
