/* recur.c - see recur.h. */
#include "engine/recur.h"
#include "base/err.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum {
    KEPT_BYTES = 64 << 20, /* for states kept beside those that go on, if no more are needed */
    MIN_KEPT = 2,
    FLOATS_ALIGNED = MEM_ALIGN / sizeof(float),
};

/* ---- sizes ----------------------------------------------------------------------------------- */

/* Floats of a cell; layer_at NULL: measures. */
static size_t lay_out(const recur_shape *s, size_t *layer_at)
{
    size_t at = 0;
    for (int il = 0; s->hp && il < s->n_layer; il++) {
        size_t n = (size_t)s->hp->layer[il].n_state; /* an int each, of 1024 at most */
        if (layer_at) layer_at[il] = at;
        at += (n + FLOATS_ALIGNED - 1) / FLOATS_ALIGNED * FLOATS_ALIGNED;
    }
    return at;
}

/* Each sequence that goes on may keep one; one alone keeps some. */
static size_t cells_of(const recur_shape *s, size_t cell_bytes)
{
    size_t n = KEPT_BYTES / cell_bytes, n_live = (size_t)s->n_live;
    n = n < MIN_KEPT ? MIN_KEPT : n < RECUR_MAX_KEPT ? n : RECUR_MAX_KEPT;
    return n_live + (n > n_live ? n : n_live);
}

bool recur_bytes(const recur_shape *shape, size_t *n_bytes)
{
    size_t cell_bytes = lay_out(shape, NULL) * sizeof(float);
    *n_bytes = 0;
    return cell_bytes == 0 || mem_mul(cell_bytes, cells_of(shape, cell_bytes), n_bytes);
}

bool recur_open(recur *r, const recur_shape *shape, lory_err *err)
{
    *r = (recur){ .n_seq = shape->n_seq };
    size_t cell_bytes = lay_out(shape, NULL) * sizeof(float);
    if (cell_bytes == 0) return true;
    if (!recur_bytes(shape, &r->data_bytes))
        return err_set(err, LORY_E_MEMORY, "recurrent layers: their states do not fit the address "
                                           "space");
    r->cell_bytes = cell_bytes;
    r->n_cell = (int)cells_of(shape, cell_bytes);
    r->most_kept = r->n_cell - shape->n_live;
    if (r->most_kept > RECUR_MAX_KEPT) r->most_kept = RECUR_MAX_KEPT;
    r->data = mem_new_lazy(r->data_bytes);
    r->layer_at = mem_new((size_t)shape->n_layer, sizeof *r->layer_at);
    r->cell = mem_new((size_t)r->n_cell, sizeof *r->cell);
    r->seq = mem_new((size_t)r->n_seq, sizeof *r->seq);
    if (!r->data || !r->layer_at || !r->cell || !r->seq) {
        recur_close(r);
        return err_set(err, LORY_E_MEMORY, "recurrent layers: no memory for states of %zu MB",
                       cell_bytes >> 20);
    }
    lay_out(shape, r->layer_at);
    for (int i = 0; i < r->n_seq; i++) r->seq[i].live = -1;
    return true;
}

void recur_close(recur *r)
{
    mem_free_lazy(r->data, r->data_bytes);
    mem_free(r->layer_at);
    mem_free(r->cell);
    mem_free(r->seq);
    *r = (recur){ 0 };
}

/* ---- cells ----------------------------------------------------------------------------------- */

static float *data_of(const recur *r, int cell)
{
    return r->data + (size_t)cell * (r->cell_bytes / sizeof(float));
}

static void touch(recur *r, int cell)
{
    r->cell[cell].used = ++r->clock;
}

int recur_find_free(const recur *r)
{
    for (int i = 0; i < r->n_cell; i++)
        if (r->cell[i].n_user == 0) return i;
    return -1;
}

static bool is_live(const recur *r, int cell)
{
    for (int i = 0; i < r->n_seq; i++)
        if (r->seq[i].live == cell) return true;
    return false;
}

int recur_oldest(const recur *r, int but)
{
    int oldest = -1;
    for (int i = 0; i < r->n_cell; i++)
        if (i != but && r->cell[i].n_user > 0 && !is_live(r, i)
            && (oldest < 0 || r->cell[i].used < r->cell[oldest].used))
            oldest = i;
    return oldest;
}

static void drop_kept(recur *r, recur_seq *s, int i)
{
    r->cell[s->kept[i]].n_user--;
    s->n_kept--;
    memmove(s->kept + i, s->kept + i + 1, (size_t)(s->n_kept - i) * sizeof *s->kept);
}

bool recur_forget(recur *r, int seq, int cell)
{
    recur_seq *s = &r->seq[seq];
    for (int i = 0; i < s->n_kept; i++)
        if (s->kept[i] == cell) {
            drop_kept(r, s, i);
            return true;
        }
    return false;
}

static int pos_of(const recur *r, const recur_seq *s, int i)
{
    return i < 0 ? 0 : r->cell[s->kept[i]].pos;
}

/* The one goes whose loss costs least, the tokens from the one before it to the one after it as a
 * part of those up to `end`. What is left is dense at the end and thin at the beginning. */
void recur_make_place(recur *r, int seq, int end)
{
    recur_seq *s = &r->seq[seq];
    int worst = 0;
    double least = 0.0;
    if (s->n_kept < r->most_kept) return;
    for (int i = 0; i + 1 < s->n_kept; i++) {
        double cost = (double)(pos_of(r, s, i + 1) - pos_of(r, s, i - 1))
                      / (double)(end - pos_of(r, s, i - 1));
        if (i == 0 || cost < least) least = cost, worst = i;
    }
    drop_kept(r, s, worst);
}

/* Adds a cell to those that a sequence keeps, which has a place for it. */
static void add_kept(recur *r, recur_seq *s, int cell)
{
    int pos = r->cell[cell].pos;
    int i = s->n_kept;
    assert(i < RECUR_MAX_KEPT);
    while (i > 0 && pos_of(r, s, i - 1) > pos) i--;
    memmove(s->kept + i + 1, s->kept + i, (size_t)(s->n_kept - i) * sizeof *s->kept);
    s->kept[i] = cell;
    s->n_kept++;
    r->cell[cell].n_user++;
    touch(r, cell);
}

/* The place in the list of the last one up to n_tok; -1: none. */
static int last_up_to(const recur *r, const recur_seq *s, int n_tok)
{
    int i = s->n_kept - 1;
    while (i >= 0 && pos_of(r, s, i) > n_tok) i--;
    return i;
}

/* ---- sequences ------------------------------------------------------------------------------- */

int recur_last_kept(const recur *r, int seq, int n_tok)
{
    if (r->cell_bytes == 0) return n_tok;
    return pos_of(r, &r->seq[seq], last_up_to(r, &r->seq[seq], n_tok));
}

static void leave_live(recur *r, recur_seq *s)
{
    if (s->live >= 0) r->cell[s->live].n_user = 0;
    s->live = -1;
}

int recur_cut(recur *r, int seq, int n_tok)
{
    if (r->cell_bytes == 0) return n_tok;
    recur_seq *s = &r->seq[seq];
    leave_live(r, s);
    while (s->n_kept > 0 && (n_tok == 0 || pos_of(r, s, s->n_kept - 1) > n_tok))
        drop_kept(r, s, s->n_kept - 1);
    return pos_of(r, s, s->n_kept - 1);
}

void recur_share(recur *r, int from, int to, int pos)
{
    if (r->cell_bytes == 0) return;
    const recur_seq *f = &r->seq[from];
    assert(r->seq[to].live < 0 && r->seq[to].n_kept == 0);
    for (int i = 0; i < f->n_kept && pos_of(r, f, i) <= pos; i++)
        add_kept(r, &r->seq[to], f->kept[i]);
    assert(pos_of(r, &r->seq[to], r->seq[to].n_kept - 1) == pos);
}

void recur_go_on(recur *r, int seq, int pos, int cell)
{
    recur_seq *s = &r->seq[seq];
    assert(s->live < 0 && r->cell[cell].n_user == 0);
    s->live = cell;
    r->cell[cell].n_user = 1;
    if (pos == 0) return; /* the first token begins with zeros */
    int from = s->kept[last_up_to(r, s, pos)];
    assert(r->cell[from].pos == pos);
    memcpy(data_of(r, cell), data_of(r, from), r->cell_bytes);
    touch(r, from);
}

void recur_rest(recur *r, int seq, int n_tok)
{
    recur_seq *s = &r->seq[seq];
    int cell = s->live;
    if (cell < 0) return;
    leave_live(r, s);
    if (n_tok == 0 || recur_is_kept(r, seq, n_tok)) return;
    recur_make_place(r, seq, n_tok);
    r->cell[cell].pos = n_tok;
    add_kept(r, s, cell);
}

bool recur_is_kept(const recur *r, int seq, int pos)
{
    const recur_seq *s = &r->seq[seq];
    int i = last_up_to(r, s, pos);
    return i >= 0 && pos_of(r, s, i) == pos;
}

void recur_keep(recur *r, int seq, int pos, int cell, bool is_there)
{
    recur_seq *s = &r->seq[seq];
    assert(r->cell[cell].n_user == 0 && s->live >= 0);
    r->cell[cell].pos = pos;
    if (is_there) memcpy(data_of(r, cell), data_of(r, s->live), r->cell_bytes);
    add_kept(r, s, cell);
}

float *recur_state(const recur *r, int seq, int il)
{
    return data_of(r, r->seq[seq].live) + r->layer_at[il];
}

float *recur_to_keep(const recur *r, int seq, int pos, int il)
{
    const recur_seq *s = &r->seq[seq];
    if (pos <= s->first || !recur_is_kept(r, seq, pos)) return NULL;
    return data_of(r, s->kept[last_up_to(r, s, pos)]) + r->layer_at[il];
}

const float *recur_whole(const recur *r, int seq, int n_tok, int n_all)
{
    const recur_seq *s = &r->seq[seq];
    if (s->live >= 0 && n_tok == n_all) return data_of(r, s->live);
    int i = last_up_to(r, s, n_tok);
    return i >= 0 && pos_of(r, s, i) == n_tok ? data_of(r, s->kept[i]) : NULL;
}

float *recur_to_fill(const recur *r, int seq)
{
    return data_of(r, r->seq[seq].live);
}
