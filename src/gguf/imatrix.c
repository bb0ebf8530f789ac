/* imatrix.c - see imatrix.h. */
#include "gguf/imatrix.h"
#include "base/bytes.h"
#include "base/err.h"
#include "gguf/gguf_write.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sums_suffix[] = ".in_sum2", counts_suffix[] = ".counts";

/* No weight counts less than this part of the mean: an error must never be free. */
static const float least_value = 1e-5f;

/* ---- what both formats have in common ------------------------------------------------------- */

static int shown(gguf_str s)
{
    return (int)(s.n < 64 ? s.n : 64);
}

static bool no_memory(const char *path, lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "%s: no memory for the importance matrix", path);
}

/* Sums of squares of one matrix, over so many rows, as importance:
 * all the same when none was seen. */
static bool normalise(const char *path, gguf_str name, const void *sums, int64_t n, float *values,
                      lory_err *err)
{
    double total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        values[i] = bytes_f32((const char *)sums + 4 * i);
        if (!isfinite(values[i]) || values[i] < 0.0f)
            return err_set(err, LORY_E_FORMAT,
                           "%s: '%.*s' has %g as a sum of squares (expected 0 or more)", path,
                           shown(name), name.s, (double)values[i]);
        total += (double)values[i];
    }
    double mean = total / (double)n;
    for (int64_t i = 0; i < n; i++) {
        float v = mean > 0.0 ? (float)((double)values[i] / mean) : 1.0f;
        values[i] = v > least_value ? v : least_value;
    }
    return true;
}

static int by_name(const void *a_, const void *b_)
{
    gguf_str a = ((const imatrix_entry *)a_)->name, b = ((const imatrix_entry *)b_)->name;
    int order = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static bool sort_entries(imatrix *m, const char *path, lory_err *err)
{
    if (m->n == 0) return err_set(err, LORY_E_FORMAT, "%s: has no importance matrix in it", path);
    qsort(m->entry, m->n, sizeof *m->entry, by_name);
    for (size_t i = 1; i < m->n; i++)
        if (by_name(&m->entry[i - 1], &m->entry[i]) == 0)
            return err_set(err, LORY_E_FORMAT, "%s: '%.*s' is there twice", path,
                           shown(m->entry[i].name), m->entry[i].name.s);
    return true;
}

/* Room for the n values of the next entry. */
static imatrix_entry *new_entry(imatrix *m, gguf_str name, int64_t n)
{
    imatrix_entry *e = &m->entry[m->n];
    e->name = (gguf_str){ arena_strndup(&m->arena, name.s, name.n), name.n };
    e->values = arena_new(&m->arena, (size_t)n, sizeof *e->values);
    e->n_values = n;
    if (!e->name.s || !e->values) return NULL;
    m->n++;
    return e;
}

/* ---- the GGUF format ------------------------------------------------------------------------ */

static bool cut_suffix(gguf_str *name, const char *suffix)
{
    size_t n = strlen(suffix);
    if (name->n <= n || memcmp(name->s + name->n - n, suffix, n) != 0) return false;
    name->n -= n;
    return true;
}

/* A matrix without rows counts all the same; the others need no count, as only ratios matter. */
static bool take_sums(imatrix *m, const gguf *g, const gguf_tensor *sums, gguf_str name,
                      lory_err *err)
{
    const char *path = gguf_path(g);
    char counts_name[256];
    snprintf(counts_name, sizeof counts_name, "%.*s%s", (int)(name.n < 200 ? name.n : 200), name.s,
             counts_suffix);
    const gguf_tensor *counts = gguf_find_tensor(g, counts_name);
    int64_t n_cols = sums->ne[0], n_matrices = sums->ne[1];
    if (!counts || sums->type != QT_F32 || counts->type != QT_F32 || sums->ne[2] * sums->ne[3] != 1
        || counts->n_bytes != (size_t)n_matrices * 4)
        return err_set(err, LORY_E_FORMAT,
                       "%s: '%.*s' has no sums of squares and counts that belong together", path,
                       shown(name), name.s);
    imatrix_entry *e = new_entry(m, name, n_cols * n_matrices);
    if (!e) return no_memory(path, err);
    for (int64_t i = 0; i < n_matrices; i++)
        if (!normalise(path, name, (const char *)sums->data + 4 * i * n_cols, n_cols,
                       e->values + i * n_cols, err))
            return false;
    return true;
}

static bool read_gguf(imatrix *m, const gguf *g, lory_err *err)
{
    const gguf_kv *datasets;
    m->entry = arena_new(&m->arena, g->n_tensors + 1, sizeof *m->entry);
    if (!m->entry) return no_memory(gguf_path(g), err);
    if (!gguf_get_uint(g, "imatrix.chunk_count", UINT32_MAX, &m->n_chunks, err)
        || !gguf_get_array(g, "imatrix.datasets", GGUF_STR, &datasets, err))
        return false;
    gguf_str first;
    gguf_str_iter it = datasets ? gguf_strings(datasets) : (gguf_str_iter){ 0 };
    if (gguf_next(&it, &first)) {
        m->dataset = (gguf_str){ arena_strndup(&m->arena, first.s, first.n), first.n };
        if (!m->dataset.s) return no_memory(gguf_path(g), err);
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        gguf_str name = g->tensors[i].name;
        if (cut_suffix(&name, sums_suffix) && !take_sums(m, g, &g->tensors[i], name, err))
            return false;
    }
    return sort_entries(m, gguf_path(g), err);
}

/* ---- the older format: numbers are int32, little-endian ------------------------------------- */

typedef struct {
    const file_map *map;
    size_t at;
} cursor;

static bool cut_short(const cursor *c, lory_err *err)
{
    return err_set(err, LORY_E_FORMAT,
                   "%s: is no importance matrix (found no whole entry at byte %zu of %zu)",
                   c->map->path, c->at, c->map->size);
}

static const unsigned char *take(cursor *c, size_t n)
{
    if (n > c->map->size - c->at) return NULL;
    c->at += n;
    return c->map->data + c->at - n;
}

/* A number of at least `least`; -1 when there is none. */
static int64_t take_int(cursor *c, int32_t least)
{
    const unsigned char *p = take(c, 4);
    return p && (int32_t)bytes_u32(p) >= least ? (int32_t)bytes_u32(p) : -1;
}

/* A matrix of experts is one entry here, and its mean that of them all. */
static bool take_entry(imatrix *m, cursor *c, lory_err *err)
{
    int64_t n_name = take_int(c, 1);
    const unsigned char *name = n_name > 0 ? take(c, (size_t)n_name) : NULL;
    int64_t n_calls = name ? take_int(c, 0) : -1, n = n_calls >= 0 ? take_int(c, 1) : -1;
    const unsigned char *sums = n > 0 ? take(c, (size_t)n * 4) : NULL;
    if (!sums) return cut_short(c, err);
    imatrix_entry *e = new_entry(m, (gguf_str){ (const char *)name, (size_t)n_name }, n);
    if (!e) return no_memory(c->map->path, err);
    return normalise(c->map->path, e->name, sums, n, e->values, err);
}

static bool read_dat(imatrix *m, const file_map *map, lory_err *err)
{
    cursor c = { map, 0 };
    int64_t n = take_int(&c, 1), n_name;
    const unsigned char *name;
    if (n < 0 || (uint64_t)n > map->size / 16) return cut_short(&c, err);
    m->entry = arena_new(&m->arena, (size_t)n, sizeof *m->entry);
    if (!m->entry) return no_memory(map->path, err);
    while (m->n < (size_t)n)
        if (!take_entry(m, &c, err)) return false;
    int64_t n_chunks = take_int(&c, 0); /* files of early 2024 end before it */
    m->n_chunks = n_chunks > 0 ? (uint64_t)n_chunks : 0;
    if (n_chunks >= 0 && (n_name = take_int(&c, 1)) > 0 && (name = take(&c, (size_t)n_name))) {
        m->dataset.s = arena_strndup(&m->arena, (const char *)name, (size_t)n_name);
        if (!m->dataset.s) return no_memory(map->path, err);
        m->dataset.n = (size_t)n_name;
    }
    return sort_entries(m, map->path, err);
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_gguf(const file_map *map)
{
    return map->size >= 4 && memcmp(map->data, "GGUF", 4) == 0;
}

bool imatrix_read(imatrix *m, const char *path, lory_err *err)
{
    file_map map;
    gguf g;
    *m = (imatrix){ .dataset = { "", 0 } };
    if (!file_map_open(&map, path, err)) return false;
    m->path = arena_strndup(&m->arena, path, strlen(path));
    bool has_magic = is_gguf(&map);
    bool ok = m->path ? has_magic || read_dat(m, &map, err) : no_memory(path, err);
    file_map_close(&map);
    if (ok && has_magic) {
        ok = gguf_open(&g, path, err);
        if (ok) {
            ok = read_gguf(m, &g, err);
            gguf_close(&g);
        }
    }
    if (!ok) imatrix_free(m);
    return ok;
}

void imatrix_free(imatrix *m)
{
    arena_free(&m->arena);
    *m = (imatrix){ .dataset = { "", 0 } };
}

bool imatrix_find(const imatrix *m, const gguf_tensor *t, const float **values, lory_err *err)
{
    imatrix_entry key = { .name = t->name };
    const imatrix_entry *e = bsearch(&key, m->entry, m->n, sizeof key, by_name);
    *values = e ? e->values : NULL;
    if (!e || e->n_values == t->ne[0] * t->ne[2]) return true;
    return err_set(err, LORY_E_ARGUMENT,
                   "%s: is of another model: '%.*s' has %" PRId64 " values (expected %" PRId64
                   ")",
                   m->path, shown(t->name), t->name.s, e->n_values, t->ne[0] * t->ne[2]);
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool has_rows(const imatrix_sums *s)
{
    double n = 0.0;
    for (int64_t i = 0; i < s->n_matrices; i++) n += s->counts[i];
    return n > 0.0;
}

static bool announce(gguf_writer *w, const imatrix_sums *s, lory_err *err)
{
    buf name = { 0 };
    bool ok = true;
    int64_t sums_ne[] = { s->n_cols, s->n_matrices }, counts_ne[] = { 1, s->n_matrices };
    for (int i = 0; i < 2; i++) {
        buf_clear(&name);
        buf_put(&name, s->name.s, s->name.n);
        ok = ok && buf_puts(&name, i ? counts_suffix : sums_suffix);
        if (!ok) break;
        gguf_add_tensor(w, (gguf_str){ name.data, name.len }, QT_F32, 2, i ? counts_ne : sums_ne);
    }
    buf_free(&name);
    return ok || no_memory(w->file.path, err);
}

static bool write_floats(gguf_writer *w, gguf_str name, const double *x, int64_t n, lory_err *err)
{
    for (int64_t i = 0; i < n; i++) {
        float v = (float)x[i];
        if (!isfinite(v))
            return err_set(err, LORY_E_FORMAT,
                           "%s: what goes into '%.*s' has no finite sum of squares", w->file.path,
                           shown(name), name.s);
        if (!gguf_write_data(w, &v, sizeof v, err)) return false;
    }
    return true;
}

static bool write_all(gguf_writer *w, const imatrix_sums *sums, size_t n, lory_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (has_rows(&sums[i]) && !announce(w, &sums[i], err)) return false;
    if (!gguf_begin_data(w, err)) return false;
    for (size_t i = 0; i < n; i++) {
        const imatrix_sums *s = &sums[i];
        if (has_rows(s)
            && (!write_floats(w, s->name, s->sums, s->n_cols * s->n_matrices, err)
                || !write_floats(w, s->name, s->counts, s->n_matrices, err)))
            return false;
    }
    return true;
}

bool imatrix_write(const char *path, const imatrix_sums *sums, size_t n, const imatrix_origin *from,
                   lory_err *err)
{
    gguf_writer w;
    gguf_str dataset = { from->dataset, strlen(from->dataset) };
    if (!gguf_create(&w, path, err)) return false;
    gguf_put_str(&w, "general.type", "imatrix");
    gguf_put_strs(&w, "imatrix.datasets", &dataset, 1);
    gguf_put_u32(&w, "imatrix.chunk_count", from->n_chunks);
    gguf_put_u32(&w, "imatrix.chunk_size", from->chunk_size);
    bool ok = write_all(&w, sums, n, err) && gguf_commit(&w, err);
    if (!ok) gguf_abandon(&w);
    return ok;
}
