/* trie.c - see trie.h. Strings are gathered as edges in a hash map; freezing places the children
 * of every node into blocks of 256 cells, of which only the last few are still filled. */
#include "token/trie.h"
#include "base/err.h"
#include "base/mem.h"
#include "token/lookup.h"

/* ---- adding ------------------------------------------------------------------------------ */

typedef struct {
    uint32_t key; /* node << 8 | byte, + 1; 0 = empty */
    uint32_t node;
} trie_edge;

struct trie_edges {
    trie_edge *slots; /* [mask + 1], open addressing, at most half full */
    size_t mask, n;
    int32_t *value; /* [cap_nodes] of a node; -1 = no token ends here */
    size_t n_nodes, cap_nodes;
};

static bool no_memory(lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "tokenizer: no memory for the trie of tokens");
}

static void free_edges(trie_edges *e)
{
    if (!e) return;
    mem_free(e->slots);
    mem_free(e->value);
    mem_free(e);
}

bool trie_init(trie *t, lory_err *err)
{
    enum { N_SLOTS = 64, N_NODES = 64 };
    trie_edges *e = mem_new(1, sizeof *e);
    *t = (trie){ .edges = e };
    if (!e) return no_memory(err);
    *e = (trie_edges){ .mask = N_SLOTS - 1, .n_nodes = 1, .cap_nodes = N_NODES };
    e->slots = mem_new(N_SLOTS, sizeof *e->slots);
    e->value = mem_new(N_NODES, sizeof *e->value);
    if (!e->slots || !e->value) return no_memory(err);
    e->value[TRIE_ROOT] = -1;
    return true;
}

void trie_free(trie *t)
{
    free_edges(t->edges);
    mem_free(t->cells);
    *t = (trie){ 0 };
}

static trie_edge *find_slot(trie_edge *slots, size_t mask, uint32_t key)
{
    size_t i = hash_mix(key) >> 20 & mask;
    while (slots[i].key && slots[i].key != key) i = (i + 1) & mask;
    return &slots[i];
}

static bool grow_slots(trie_edges *e)
{
    size_t mask = e->mask * 2 + 1;
    trie_edge *slots = mem_new(mask + 1, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i <= e->mask; i++)
        if (e->slots[i].key) *find_slot(slots, mask, e->slots[i].key) = e->slots[i];
    mem_free(e->slots);
    e->slots = slots;
    e->mask = mask;
    return true;
}

static bool grow_nodes(trie_edges *e)
{
    int32_t *value = mem_resize(e->value, e->cap_nodes, e->cap_nodes * 2, sizeof *value);
    if (!value) return false;
    e->value = value;
    e->cap_nodes *= 2;
    return true;
}

/* The node below `node`, made if there is none; 0 = failed. */
static uint32_t step_or_add(trie_edges *e, uint32_t node, unsigned char c, lory_err *err)
{
    uint32_t key = (node << 8 | c) + 1;
    trie_edge *slot = find_slot(e->slots, e->mask, key);
    if (slot->key) return slot->node;
    if (e->n_nodes == TRIE_MAX_NODES) {
        err_set(err, LORY_E_UNSUPPORTED, "tokenizer: the tokens need a trie of more than %d nodes",
                TRIE_MAX_NODES);
        return 0;
    }
    if ((e->n_nodes == e->cap_nodes && !grow_nodes(e)) || (e->n * 2 > e->mask && !grow_slots(e))) {
        no_memory(err);
        return 0;
    }
    uint32_t new_node = (uint32_t)e->n_nodes++;
    e->value[new_node] = -1;
    e->n++;
    *find_slot(e->slots, e->mask, key) = (trie_edge){ key, new_node };
    return new_node;
}

bool trie_add(trie *t, const char *s, size_t n, int32_t value, lory_err *err)
{
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < n; i++) {
        node = step_or_add(t->edges, node, (unsigned char)s[i], err);
        if (!node) return false;
    }
    if (t->edges->value[node] < 0) t->edges->value[node] = value;
    return true;
}

/* ---- freezing ---------------------------------------------------------------------------- */

enum { BLOCK = 256, MAX_OPEN = 16, MAX_MISSES = 64 };

typedef struct {
    int n_free;
    int first_free; /* no cell before it is free */
    int n_misses;   /* nodes whose children found no room; a block with many is given up */
} trie_block;

typedef struct {
    const trie_edges *edges;
    trie_cell *cells;   /* [n_blocks * BLOCK], room for cap_blocks */
    trie_block *blocks; /* [n_blocks] */
    size_t n_blocks, cap_blocks, first_open;
    uint32_t *start; /* [n_nodes + 1] of each node's children in `child` */
    trie_edge *child;
    uint32_t *cell_of; /* [n_nodes] */
} freezer;

/* Children of every node together: a counting sort of the edges by the node above. */
static bool gather_children(freezer *f)
{
    const trie_edges *e = f->edges;
    f->start = mem_new(e->n_nodes + 2, sizeof *f->start);
    f->child = mem_new(e->n + 1, sizeof *f->child);
    f->cell_of = mem_new(e->n_nodes, sizeof *f->cell_of);
    if (!f->start || !f->child || !f->cell_of) return false;
    for (size_t i = 0; i <= e->mask; i++)
        if (e->slots[i].key) f->start[((e->slots[i].key - 1) >> 8) + 2]++;
    for (size_t i = 2; i < e->n_nodes + 2; i++) f->start[i] += f->start[i - 1];
    for (size_t i = 0; i <= e->mask; i++)
        if (e->slots[i].key) f->child[f->start[((e->slots[i].key - 1) >> 8) + 1]++] = e->slots[i];
    return true;
}

static bool add_block(freezer *f)
{
    if (f->n_blocks == f->cap_blocks) {
        size_t cap = f->cap_blocks ? f->cap_blocks * 2 : 4;
        trie_cell *cells =
            mem_resize(f->cells, f->cap_blocks * BLOCK, cap * BLOCK, sizeof *f->cells);
        if (!cells) return false;
        f->cells = cells;
        trie_block *blocks = mem_resize(f->blocks, f->cap_blocks, cap, sizeof *f->blocks);
        if (!blocks) return false;
        f->blocks = blocks;
        f->cap_blocks = cap;
    }
    for (size_t i = 0; i < BLOCK; i++)
        f->cells[f->n_blocks * BLOCK + i] = (trie_cell){ 0, TRIE_FREE, -1 };
    f->blocks[f->n_blocks++] = (trie_block){ .n_free = BLOCK };
    return true;
}

static bool is_free(const freezer *f, size_t cell)
{
    return f->cells[cell].parent == TRIE_FREE && cell != TRIE_ROOT;
}

/* A base with room for all n children in the block, or -1. */
static int64_t base_in_block(const freezer *f, size_t block, const trie_edge *child, size_t n)
{
    trie_block *b = &f->blocks[block];
    uint32_t first = (child[0].key - 1) & 0xFF;
    if ((size_t)b->n_free < n || b->n_misses >= MAX_MISSES) return -1;
    while (!is_free(f, block * BLOCK + (size_t)b->first_free)) b->first_free++;
    for (size_t i = block * BLOCK + (size_t)b->first_free, k; i < (block + 1) * BLOCK; i++) {
        size_t base = i ^ first;
        for (k = 0; k < n && is_free(f, base ^ ((child[k].key - 1) & 0xFF)); k++) {
        }
        if (k == n) return (int64_t)base;
    }
    b->n_misses++;
    return -1;
}

static bool place_children(freezer *f, uint32_t node)
{
    const trie_edge *child = f->child + f->start[node];
    size_t n = f->start[node + 1] - f->start[node];
    uint32_t cell = f->cell_of[node];
    int64_t base = -1;
    f->cells[cell].value = f->edges->value[node];
    if (n == 0) return true;
    for (size_t i = f->first_open; i < f->n_blocks && base < 0; i++)
        base = base_in_block(f, i, child, n);
    if (base < 0) {
        if (!add_block(f)) return false;
        if (f->n_blocks - f->first_open > MAX_OPEN) f->first_open++;
        base = base_in_block(f, f->n_blocks - 1, child, n);
    }
    f->cells[cell].base = (uint32_t)base;
    f->blocks[base / BLOCK].n_free -= (int)n;
    for (size_t k = 0; k < n; k++) {
        uint32_t to = (uint32_t)base ^ ((child[k].key - 1) & 0xFF);
        f->cells[to].parent = cell;
        f->cell_of[child[k].node] = to;
    }
    return true;
}

/* A node is made after the one above it, so its cell is known when its children are placed. The
 * root has the first block, which it shares with its children but for the one at its own cell. */
static bool place_all(freezer *f)
{
    if (!gather_children(f) || !add_block(f) || !add_block(f)) return false;
    f->blocks[0].n_free--;
    for (size_t i = 0; i < f->edges->n_nodes; i++)
        if (!place_children(f, (uint32_t)i)) return false;
    return true;
}

bool trie_freeze(trie *t, lory_err *err)
{
    freezer f = { .edges = t->edges };
    bool ok = place_all(&f);
    mem_free(f.blocks);
    mem_free(f.start);
    mem_free(f.child);
    mem_free(f.cell_of);
    t->cells = f.cells;
    if (!ok) return no_memory(err);
    free_edges(t->edges);
    t->edges = NULL;
    return true;
}
