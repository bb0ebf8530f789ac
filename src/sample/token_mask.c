/* token_mask.c - see token_mask.h. */
#include "sample/token_mask.h"
#include "base/err.h"
#include "sample/vec.h"
#include <string.h>

enum {
    KEPT_BYTES = 8 << 20, /* of masks */
    DEAR_NODES = 256,      /* a walk over more nodes is worth a kept mask */
};

bool token_mask_init(token_mask *m, automaton *a, const token_trie *t, lory_err *err)
{
    size_t mask_bytes = t->n_words * sizeof(uint64_t);
    *m = (token_mask){ .a = a, .t = t };
    m->max_kept = KEPT_BYTES / mask_bytes + 1;
    m->n_slots = 64;
    while (m->n_slots < 2 * m->max_kept) m->n_slots *= 2;
    m->slot = mem_new(m->n_slots, sizeof *m->slot);
    m->state = mem_new(m->max_kept, sizeof *m->state);
    m->kept = mem_new_lazy(m->max_kept * mask_bytes);
    m->stack = mem_new((size_t)t->max_depth + 1, sizeof *m->stack);
    if (m->slot && m->state && m->kept && m->stack) return true;
    token_mask_free(m);
    return err_set(err, LORY_E_MEMORY, "grammar: no memory for masks of %d tokens", t->n_vocab);
}

void token_mask_free(token_mask *m)
{
    if (m->t) mem_free_lazy(m->kept, m->max_kept * m->t->n_words * sizeof *m->kept);
    mem_free(m->way);
    mem_free(m->slot);
    mem_free(m->state);
    mem_free(m->stack);
    *m = (token_mask){ 0 };
}

/* ---- the main way --------------------------------------------------------------------------- */

enum { FIRST_PRINTABLE = 0x20, LAST_PRINTABLE = 0x7E };

/* The state that most printable bytes lead to, if there is one (Boyer and Moore's vote), and the
 * bytes that do. */
static bool find_way(token_mask *m, uint32_t state, main_way *w, lory_err *err)
{
    uint32_t to[LAST_PRINTABLE + 1], n_votes = 0;
    *w = (main_way){ .to = AUTOMATON_DEAD + 1 };
    for (int b = FIRST_PRINTABLE; b <= LAST_PRINTABLE; b++) {
        if (!automaton_step(m->a, state, (uint8_t)b, &to[b], err)) return false;
        if (n_votes == 0) w->to = to[b] + 1;
        if (w->to == to[b] + 1)
            n_votes++;
        else
            n_votes--;
    }
    for (int b = FIRST_PRINTABLE; b <= LAST_PRINTABLE && w->to != AUTOMATON_DEAD + 1; b++)
        if (to[b] + 1 == w->to) w->bytes.bits[b / 64] |= (uint64_t)1 << (b % 64);
    return true;
}

static bool way_of(token_mask *m, uint32_t state, main_way *w, lory_err *err)
{
    if (state >= m->n_ways) {
        main_way *all =
            vec_room(m->way, m->n_ways, &m->cap_ways, state + 1 - m->n_ways, sizeof *all);
        if (!all) return err_set(err, LORY_E_MEMORY, "grammar: no memory for its states");
        memset(all + m->n_ways, 0, (state + 1 - m->n_ways) * sizeof *all);
        m->way = all;
        m->n_ways = state + 1;
    }
    if (m->way[state].to == 0 && !find_way(m, state, &m->way[state], err)) return false;
    *w = m->way[state];
    return true;
}

static bool is_within(const byte_set *a, const byte_set *b)
{
    for (int i = 0; i < 4; i++)
        if (a->bits[i] & ~b->bits[i]) return false;
    return true;
}

/* *all: every text of at most `height` of these bytes may follow. (When it is not set, it may all
 * the same.) */
static bool takes_all(token_mask *m, uint32_t state, const byte_set *bytes, int height, bool *all,
                      lory_err *err)
{
    *all = false;
    for (int i = 0; i < height; i++) {
        main_way w = { 0 };
        if (!way_of(m, state, &w, err)) return false;
        if (!is_within(bytes, &w.bytes)) return true;
        if (w.to == state + 1) break;
        state = w.to - 1;
    }
    *all = true;
    return true;
}

/* ---- the walk ------------------------------------------------------------------------------- */

typedef struct {
    token_mask *m;
    uint64_t *mask;
    bool at_start;
    size_t n_met; /* nodes */
    lory_err *err;
} walk;

static void allow(walk *w, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) mask_put(w->mask, w->m->t->token[i]);
}

/* Below node i, which leads to `state`: *all when everything there is allowed, and put. */
static bool try_all(walk *w, uint32_t i, uint32_t state, bool *all)
{
    const token_trie *t = w->m->t;
    const trie_node *node = &t->node[i];
    *all = false;
    if (node->set == 0) return true;
    if (!takes_all(w->m, state, &t->sets[node->set - 1], node->height, all, w->err)) return false;
    if (!*all) return true;
    if (i != 0) allow(w, node->first, t->node[node->end].first);
    for (size_t k = 0; i == 0 && k < t->n_words; k++) w->mask[k] |= t->plain[k];
    return true;
}

/* Of the tokens that begin with a blank, those that do not lose it, or have nothing else. */
static void forbid_others(walk *w, const trie_node *blank)
{
    const token_trie *t = w->m->t;
    for (uint32_t i = blank->first; i < t->node[blank->end].first; i++) {
        lory_token id = t->token[i];
        bool is_blank = i < blank[1].first; /* and nothing else: no progress */
        if (is_blank || !mask_has(t->no_blank, id)) w->mask[id / 64] &= ~((uint64_t)1 << (id % 64));
    }
}

/* One of the two tries. At the start of a text a token that begins with a blank goes on as if the
 * blank were not there. */
static bool walk_trie(walk *w, uint32_t root, uint32_t state)
{
    const token_trie *t = w->m->t;
    uint32_t *stack = w->m->stack, lost = 0;
    bool all = false;
    stack[0] = state;
    if (!w->at_start && !try_all(w, root, state, &all)) return false;
    for (uint32_t i = all ? t->node[root].end : root + 1; i < t->node[root].end;) {
        const trie_node *node = &t->node[i];
        uint32_t to, from = stack[node->depth - 1];
        bool is_lost = w->at_start && node->depth == 1 && node->byte == ' ';
        w->n_met++;
        if (is_lost) lost = i;
        if (is_lost)
            to = from;
        else if (!automaton_step(w->m->a, from, node->byte, &to, w->err))
            return false;
        if (to == AUTOMATON_DEAD) {
            i = node->end;
            continue;
        }
        if (!try_all(w, i, to, &all)) return false;
        if (!all) allow(w, node->first, node[1].first);
        stack[node->depth] = to;
        i = all ? node->end : i + 1;
    }
    if (lost) forbid_others(w, &t->node[lost]);
    return true;
}

static bool walk_tries(walk *w, uint32_t state)
{
    memset(w->mask, 0, w->m->t->n_words * sizeof *w->mask);
    return walk_trie(w, w->m->t->root[0], state) && walk_trie(w, w->m->t->root[1], state);
}

/* ---- kept masks ----------------------------------------------------------------------------- */

static void forget_masks(token_mask *m)
{
    memset(m->slot, 0, m->n_slots * sizeof *m->slot);
    m->n_kept = 0;
}

static size_t slot_of(const token_mask *m, uint32_t state)
{
    size_t i = (state * (size_t)0x9E3779B1u) & (m->n_slots - 1);
    while (m->slot[i] && m->state[m->slot[i] - 1] != state) i = (i + 1) & (m->n_slots - 1);
    return i;
}

static void keep_mask(token_mask *m, uint32_t state, const uint64_t *mask)
{
    if (m->n_kept == m->max_kept) forget_masks(m);
    m->state[m->n_kept] = state;
    memcpy(m->kept + m->n_kept * m->t->n_words, mask, m->t->n_words * sizeof *mask);
    size_t at = slot_of(m, state);
    m->slot[at] = (uint32_t)++m->n_kept;
}

bool token_mask_fill(token_mask *m, uint32_t state, bool at_start, uint64_t *mask, lory_err *err)
{
    walk w = { .m = m, .mask = mask, .at_start = at_start && m->t->drops_blank, .err = err };
    if (m->n_collected != m->a->n_collected) {
        forget_masks(m);
        m->n_ways = 0;
        m->n_collected = m->a->n_collected;
    }
    uint32_t kept = w.at_start ? 0 : m->slot[slot_of(m, state)];
    if (kept) {
        memcpy(mask, m->kept + (kept - 1) * m->t->n_words, m->t->n_words * sizeof *mask);
        return true;
    }
    if (!walk_tries(&w, state)) return false;
    if (w.n_met > DEAR_NODES && !w.at_start) keep_mask(m, state, mask);
    return true;
}
