/* automaton.c - see automaton.h. */
#include "sample/automaton.h"
#include "base/err.h"
#include "base/hash.h"
#include "sample/vec.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_CALLS = 1 << 20 };

static uint64_t pair(uint32_t state, uint32_t node)
{
    return (uint64_t)state << 32 | node;
}

static bool no_memory(lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "grammar: no memory for the states of the text");
}

/* ---- sets of pairs -------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x) /* splitmix64's finaliser */
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t *set_slot(const pair_set *s, uint64_t key, size_t *at)
{
    size_t i = mix(key) & (s->n_slots - 1);
    while (s->round[i] == s->now && s->key[i] != key) i = (i + 1) & (s->n_slots - 1);
    *at = i;
    return &s->key[i];
}

static bool set_grow(pair_set *s)
{
    pair_set old = *s, more = { .n_slots = old.n_slots ? old.n_slots * 2 : 256, .now = 1 };
    size_t at;
    more.key = mem_new(more.n_slots, sizeof *more.key);
    more.round = mem_new(more.n_slots, sizeof *more.round);
    if (!more.key || !more.round) {
        mem_free(more.key);
        mem_free(more.round);
        return false;
    }
    for (size_t i = 0; i < old.n_slots; i++) {
        if (old.round[i] != old.now) continue;
        *set_slot(&more, old.key[i], &at) = old.key[i];
        more.round[at] = more.now;
    }
    more.n = old.n;
    mem_free(old.key);
    mem_free(old.round);
    *s = more;
    return true;
}

static void set_clear(pair_set *s)
{
    s->n = 0;
    if (++s->now != 0) return;
    if (s->round) memset(s->round, 0, s->n_slots * sizeof *s->round);
    s->now = 1;
}

/* *is_new: it was not there. */
static bool set_put(pair_set *s, uint64_t key, bool *is_new)
{
    size_t at;
    if (s->n * 2 >= s->n_slots && !set_grow(s)) return false;
    uint64_t *slot = set_slot(s, key, &at);
    *is_new = s->round[at] != s->now;
    if (!*is_new) return true;
    *slot = key;
    s->round[at] = s->now;
    s->n++;
    return true;
}

/* ---- nodes and states ----------------------------------------------------------------------- */

static uint64_t hash_pairs(const uint64_t *pairs, size_t n, bool accepts)
{
    return hash64_of(pairs, n * sizeof *pairs, accepts);
}

/* Doubles a table of indices; its owner puts them in again. */
static bool grow_slots(uint32_t **slot, size_t *n_slots)
{
    size_t n = *n_slots ? *n_slots * 2 : 256;
    uint32_t *more = mem_new(n, sizeof *more);
    if (!more) return false;
    mem_free(*slot);
    *slot = more;
    *n_slots = n;
    return true;
}

static void enter_node(automaton *a, uint32_t i)
{
    const automaton_node *node = &a->node[i];
    size_t mask = a->n_node_slots - 1,
           at = hash_pairs(a->edge + node->first, node->n, false) & mask;
    while (a->node_slot[at]) at = (at + 1) & mask;
    a->node_slot[at] = i + 1;
}

static void enter_state(automaton *a, uint32_t i)
{
    const automaton_state *s = &a->state[i];
    size_t mask = a->n_state_slots - 1;
    size_t at = hash_pairs(a->item + s->first, s->n, s->accepts) & mask;
    while (a->state_slot[at]) at = (at + 1) & mask;
    a->state_slot[at] = i + 1;
}

static bool reserve_node_slot(automaton *a)
{
    if (a->n_nodes * 2 < a->n_node_slots) return true;
    if (!grow_slots(&a->node_slot, &a->n_node_slots)) return false;
    for (uint32_t i = 0; i < a->n_nodes; i++) enter_node(a, i);
    return true;
}

static bool reserve_state_slot(automaton *a)
{
    if (a->n_states * 2 < a->n_state_slots) return true;
    if (!grow_slots(&a->state_slot, &a->n_state_slots)) return false;
    for (uint32_t i = 0; i < a->n_states; i++) enter_state(a, i);
    return true;
}

static bool find_node(const automaton *a, const uint64_t *edges, size_t n, uint32_t *node)
{
    size_t mask = a->n_node_slots - 1;
    for (size_t at = hash_pairs(edges, n, false) & mask; a->node_slot[at]; at = (at + 1) & mask) {
        const automaton_node *x = &a->node[a->node_slot[at] - 1];
        *node = a->node_slot[at] - 1;
        if (x->n == n && memcmp(a->edge + x->first, edges, n * sizeof *edges) == 0) return true;
    }
    return false;
}

static bool find_state(const automaton *a, const uint64_t *items, size_t n, bool accepts,
                       uint32_t *state)
{
    size_t mask = a->n_state_slots - 1;
    size_t at = hash_pairs(items, n, accepts) & mask;
    for (; a->state_slot[at]; at = (at + 1) & mask) {
        const automaton_state *x = &a->state[a->state_slot[at] - 1];
        *state = a->state_slot[at] - 1;
        if (x->n == n && x->accepts == accepts
            && memcmp(a->item + x->first, items, n * sizeof *items) == 0)
            return true;
    }
    return false;
}

static uint32_t depth_above(const automaton *a, const uint64_t *edges, size_t n)
{
    uint32_t depth = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t below = a->node[(uint32_t)edges[i]].depth;
        if (below > depth) depth = below;
    }
    return depth + 1;
}

/* The node with these edges. */
static bool node_of(automaton *a, const uint64_t *edges, size_t n, uint32_t *node, lory_err *err)
{
    if (find_node(a, edges, n, node)) return true;
    uint32_t depth = depth_above(a, edges, n);
    if (depth > AUTOMATON_MAX_DEPTH)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "grammar: the text nests too deeply (expected at most %d open rules)",
                       AUTOMATON_MAX_DEPTH);
    if (!reserve_node_slot(a)) return no_memory(err);
    automaton_node *all = vec_room(a->node, a->n_nodes, &a->cap_nodes, 1, sizeof *all);
    if (!all) return no_memory(err);
    a->node = all;
    uint64_t *pool = vec_room(a->edge, a->n_edges, &a->cap_edges, n, sizeof *pool);
    if (!pool) return no_memory(err);
    a->edge = pool;
    memcpy(a->edge + a->n_edges, edges, n * sizeof *edges);
    *node = (uint32_t)a->n_nodes;
    a->node[a->n_nodes++] = (automaton_node){ a->n_edges, (uint32_t)n, depth };
    a->n_edges += n;
    enter_node(a, *node);
    return true;
}

/* The state with the items that were found. */
static bool state_of(automaton *a, bool accepts, uint32_t *state, lory_err *err)
{
    size_t n = a->n_found;
    if (find_state(a, a->found, n, accepts, state)) return true;
    if (automaton_bytes(a) > AUTOMATON_MAX_BYTES)
        return err_set(err, LORY_E_FULL,
                       "grammar: the text can be read in too many ways (its states take more than "
                       "%d MB)",
                       AUTOMATON_MAX_BYTES >> 20);
    if (!reserve_state_slot(a)) return no_memory(err);
    automaton_state *all = vec_room(a->state, a->n_states, &a->cap_states, 1, sizeof *all);
    if (!all) return no_memory(err);
    a->state = all;
    uint64_t *pool = vec_room(a->item, a->n_items, &a->cap_items, n, sizeof *pool);
    if (!pool) return no_memory(err);
    a->item = pool;
    memcpy(a->item + a->n_items, a->found, n * sizeof *pool);
    *state = (uint32_t)a->n_states;
    a->state[a->n_states++] =
        (automaton_state){ .first = a->n_items, .n = (uint32_t)n, .accepts = accepts };
    a->n_items += n;
    enter_state(a, *state);
    return true;
}

/* ---- a byte --------------------------------------------------------------------------------- */

static bool put_todo(automaton *a, uint64_t at, lory_err *err)
{
    bool is_new;
    if (!set_put(&a->met, at, &is_new)) return no_memory(err);
    if (!is_new) return true;
    if (a->met.n > AUTOMATON_MAX_WAYS)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "grammar: the text can be read in more than %d ways at once",
                       AUTOMATON_MAX_WAYS);
    uint64_t *all = vec_room(a->todo, a->n_todo, &a->cap_todo, 1, sizeof *all);
    if (!all) return no_memory(err);
    a->todo = all;
    a->todo[a->n_todo++] = at;
    return true;
}

static bool put_found(automaton *a, uint64_t at, lory_err *err)
{
    uint64_t *all = vec_room(a->found, a->n_found, &a->cap_found, 1, sizeof *all);
    if (!all) return no_memory(err);
    a->found = all;
    a->found[a->n_found++] = at;
    return true;
}

static bool is_before(const automaton_call *a, const automaton_call *b)
{
    if (a->rank != b->rank) return a->rank < b->rank;
    if (a->rule != b->rule) return a->rule < b->rule;
    return a->edge < b->edge;
}

/* Into the heap. */
static bool put_call(automaton *a, uint32_t rule, uint64_t edge, lory_err *err)
{
    if (a->n_calls >= MAX_CALLS)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "grammar: the text can be read in more than %d ways at once", MAX_CALLS);
    automaton_call *all = vec_room(a->call, a->n_calls, &a->cap_calls, 1, sizeof *all);
    if (!all) return no_memory(err);
    a->call = all;
    automaton_call c = { a->p->rank[rule], rule, edge };
    size_t i = a->n_calls++;
    for (; i > 0 && is_before(&c, &all[(i - 1) / 2]); i = (i - 1) / 2) all[i] = all[(i - 1) / 2];
    all[i] = c;
    return true;
}

static automaton_call take_call(automaton *a)
{
    automaton_call *h = a->call, top = h[0], c = h[--a->n_calls];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < a->n_calls; i = k) {
        if (k + 1 < a->n_calls && is_before(&h[k + 1], &h[k])) k++;
        if (!is_before(&h[k], &c)) break;
        h[i] = h[k];
    }
    h[i] = c;
    return top;
}

/* A call from `node` that goes on at `to`. At the end of a rule the callers below stand for it. */
static bool note_call(automaton *a, uint32_t rule, uint32_t to, uint32_t node, lory_err *err)
{
    const automaton_node *n = &a->node[node];
    if (node == 0 || !(a->p->flags[to] & PDA_TAIL)) return put_call(a, rule, pair(to, node), err);
    for (uint32_t i = 0; i < n->n; i++)
        if (!put_call(a, rule, a->edge[n->first + i], err)) return false;
    return true;
}

/* Follows what needs no byte from one pair. */
static bool expand(automaton *a, uint64_t at, bool *accepts, lory_err *err)
{
    const pushdown *p = a->p;
    uint32_t s = (uint32_t)(at >> 32), node = (uint32_t)at;
    if (p->flags[s] & PDA_FINAL) {
        const automaton_node *n = &a->node[node];
        if (node == 0) *accepts = true;
        for (uint32_t i = 0; i < n->n; i++)
            if (!put_todo(a, a->edge[n->first + i], err)) return false;
    }
    if (p->flags[s] & PDA_READS && !put_found(a, at, err)) return false;
    for (uint32_t i = p->first[s]; i < p->first[s + 1]; i++) {
        const pda_edge *e = &p->edge[i];
        if (e->kind == PDA_EMPTY && !put_todo(a, pair(e->to, node), err)) return false;
        if (e->kind == PDA_CALL && !note_call(a, e->rule, e->to, node, err)) return false;
    }
    return true;
}

/* Makes all calls of the rule whose turn it is: as one node, since they are made at one point. */
static bool make_calls(automaton *a, lory_err *err)
{
    uint32_t rule = a->call[0].rule, node;
    size_t n_before = a->n_found;
    uint64_t last = UINT64_MAX;
    while (a->n_calls > 0 && a->call[0].rule == rule) {
        uint64_t edge = take_call(a).edge;
        if (edge != last && !put_found(a, edge, err)) return false;
        last = edge;
    }
    if (!node_of(a, a->found + n_before, a->n_found - n_before, &node, err)) return false;
    a->n_found = n_before;
    return put_todo(a, pair(a->p->start[rule], node), err);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The state of what is to do, and all that follows from it without a byte. */
static bool close_state(automaton *a, bool accepts, uint32_t *state, lory_err *err)
{
    while (a->n_todo > 0 || a->n_calls > 0) {
        if (a->n_todo > 0 ? !expand(a, a->todo[--a->n_todo], &accepts, err) : !make_calls(a, err))
            return false;
    }
    if (a->n_found > 1) qsort(a->found, a->n_found, sizeof *a->found, by_value);
    return state_of(a, accepts, state, err);
}

static void begin_state(automaton *a)
{
    a->n_todo = a->n_found = a->n_calls = 0;
    set_clear(&a->met);
}

static bool read_byte(automaton *a, uint32_t from, uint8_t byte, uint32_t *to, lory_err *err)
{
    const pushdown *p = a->p;
    begin_state(a);
    for (uint32_t i = 0; i < a->state[from].n; i++) {
        uint64_t at = a->item[a->state[from].first + i];
        uint32_t s = (uint32_t)(at >> 32);
        for (uint32_t k = p->first[s]; k < p->first[s + 1]; k++) {
            const pda_edge *e = &p->edge[k];
            if (e->kind != PDA_BYTES || byte < e->lo || byte > e->hi) continue;
            if (!put_todo(a, pair(e->to, (uint32_t)at), err)) return false;
        }
    }
    return close_state(a, false, to, err);
}

static bool add_row(automaton *a, uint32_t state, lory_err *err)
{
    size_t n_classes = (size_t)a->p->n_classes, n = a->n_rows * n_classes;
    uint32_t *all = vec_room(a->next, n, &a->cap_next, n_classes, sizeof *all);
    if (!all) return no_memory(err);
    a->next = all;
    memset(all + n, 0, n_classes * sizeof *all);
    a->state[state].next = (uint32_t)++a->n_rows;
    return true;
}

bool automaton_step(automaton *a, uint32_t from, uint8_t byte, uint32_t *to, lory_err *err)
{
    *to = automaton_known(a, from, byte);
    if (*to != UINT32_MAX) return true;
    if (a->state[from].next == 0 && !add_row(a, from, err)) return false;
    if (!read_byte(a, from, byte, to, err)) return false;
    size_t row = a->state[from].next - 1;
    a->next[row * (size_t)a->p->n_classes + a->p->class_of[byte]] = *to + 1;
    return true;
}

static bool put_items(automaton *a, uint32_t state, lory_err *err)
{
    for (uint32_t i = 0; i < a->state[state].n; i++)
        if (!put_found(a, a->item[a->state[state].first + i], err)) return false;
    return true;
}

bool automaton_join(automaton *a, uint32_t x, uint32_t y, uint32_t *to, lory_err *err)
{
    size_t n = 0;
    a->n_found = 0;
    if (!put_items(a, x, err) || !put_items(a, y, err)) return false;
    if (a->n_found > 1) qsort(a->found, a->n_found, sizeof *a->found, by_value);
    for (size_t i = 0; i < a->n_found; i++)
        if (n == 0 || a->found[n - 1] != a->found[i]) a->found[n++] = a->found[i];
    a->n_found = n;
    return state_of(a, a->state[x].accepts || a->state[y].accepts, to, err);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* State 0 is dead, node 0 has nothing below it. */
static bool begin(automaton *a, lory_err *err)
{
    uint32_t dead, bottom;
    a->found = vec_room(NULL, 0, &a->cap_found, 1, sizeof *a->found);
    a->item = vec_room(NULL, 0, &a->cap_items, 1, sizeof *a->item);
    a->edge = vec_room(NULL, 0, &a->cap_edges, 1, sizeof *a->edge);
    if (!a->found || !a->item || !a->edge || !reserve_node_slot(a) || !reserve_state_slot(a))
        return no_memory(err);
    begin_state(a);
    if (!state_of(a, false, &dead, err) || !node_of(a, a->found, 0, &bottom, err)) return false;
    return put_todo(a, pair(a->p->start[a->p->root], 0), err)
           && close_state(a, a->p->root_is_empty, &a->start, err);
}

bool automaton_init(automaton *a, const pushdown *p, lory_err *err)
{
    *a = (automaton){ .p = p };
    if (begin(a, err)) return true;
    automaton_free(a);
    return false;
}

void automaton_free(automaton *a)
{
    mem_free(a->state);
    mem_free(a->node);
    mem_free(a->item);
    mem_free(a->edge);
    mem_free(a->next);
    mem_free(a->state_slot);
    mem_free(a->node_slot);
    mem_free(a->met.key);
    mem_free(a->met.round);
    mem_free(a->todo);
    mem_free(a->found);
    mem_free(a->call);
    *a = (automaton){ 0 };
}

size_t automaton_bytes(const automaton *a)
{
    return a->n_states * sizeof *a->state + a->n_nodes * sizeof *a->node
           + (a->n_items + a->n_edges) * sizeof(uint64_t)
           + a->n_rows * (size_t)a->p->n_classes * sizeof *a->next;
}

/* ---- collecting ----------------------------------------------------------------------------- */

/* Marks what the kept states stand on. Edges lead to lower nodes, so one walk down finds all. */
static void mark_nodes(const automaton *a, const uint32_t *state_to, uint32_t *node_to)
{
    node_to[0] = 1;
    for (size_t i = 0; i < a->n_states; i++) {
        const automaton_state *s = &a->state[i];
        for (uint32_t k = 0; state_to[i] && k < s->n; k++)
            node_to[(uint32_t)a->item[s->first + k]] = 1;
    }
    for (size_t i = a->n_nodes; i-- > 0;) {
        const automaton_node *n = &a->node[i];
        for (uint32_t k = 0; node_to[i] && k < n->n; k++)
            node_to[(uint32_t)a->edge[n->first + k]] = 1;
    }
}

/* Renames the nodes in pairs and moves them to to[0..n), which does not lie behind them. Nodes keep
 * their order, so pairs stay ascending. */
static void move_pairs(uint64_t *to, const uint64_t *from, uint32_t n, const uint32_t *node_to)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = pair((uint32_t)(from[i] >> 32), node_to[(uint32_t)from[i]] - 1);
}

static void move_nodes(automaton *a, uint32_t *node_to)
{
    size_t n_nodes = 0, n_edges = 0;
    for (size_t i = 0; i < a->n_nodes; i++) {
        automaton_node n = a->node[i];
        if (!node_to[i]) continue;
        node_to[i] = (uint32_t)n_nodes + 1;
        move_pairs(a->edge + n_edges, a->edge + n.first, n.n, node_to);
        n.first = n_edges;
        n_edges += n.n;
        a->node[n_nodes++] = n;
    }
    a->n_nodes = n_nodes;
    a->n_edges = n_edges;
}

static void move_states(automaton *a, uint32_t *state_to, const uint32_t *node_to)
{
    size_t n_states = 0, n_items = 0;
    for (size_t i = 0; i < a->n_states; i++) {
        automaton_state s = a->state[i];
        if (!state_to[i]) continue;
        state_to[i] = (uint32_t)n_states + 1;
        move_pairs(a->item + n_items, a->item + s.first, s.n, node_to);
        s.first = n_items;
        s.next = 0;
        n_items += s.n;
        a->state[n_states++] = s;
    }
    a->n_states = n_states;
    a->n_items = n_items;
    a->n_rows = 0;
}

static void enter_all(automaton *a)
{
    memset(a->node_slot, 0, a->n_node_slots * sizeof *a->node_slot);
    memset(a->state_slot, 0, a->n_state_slots * sizeof *a->state_slot);
    for (uint32_t i = 0; i < a->n_nodes; i++) enter_node(a, i);
    for (uint32_t i = 0; i < a->n_states; i++) enter_state(a, i);
}

bool automaton_collect(automaton *a, uint32_t *keep, size_t n, lory_err *err)
{
    uint32_t *state_to = mem_new(a->n_states, sizeof *state_to); /* new number + 1; 0: goes */
    uint32_t *node_to = mem_new(a->n_nodes, sizeof *node_to);
    bool ok = state_to && node_to;
    if (ok) {
        state_to[AUTOMATON_DEAD] = state_to[a->start] = 1;
        for (size_t i = 0; i < n; i++) state_to[keep[i]] = 1;
        mark_nodes(a, state_to, node_to);
        move_nodes(a, node_to);
        move_states(a, state_to, node_to);
        enter_all(a);
        for (size_t i = 0; i < n; i++) keep[i] = state_to[keep[i]] - 1;
        a->start = state_to[a->start] - 1;
        a->n_collected++;
    }
    mem_free(state_to);
    mem_free(node_to);
    return ok || no_memory(err);
}
