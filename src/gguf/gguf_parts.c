/* gguf_parts.c - models that were split into several files: NAME-00001-of-00003.gguf and so on.
 * Layer: gguf. Format: llama.cpp's gguf-split: the first has all keys, split.no (from 0),
 * split.count and split.tensors.count; the others their number and tensors. Every file is opened
 * and checked by itself, and stays mapped; then one table has the tensors of all. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "gguf/gguf.h"
#include "gguf/name_table.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PARTS = 99999, SUFFIX_CHARS = sizeof "-00001-of-00001.gguf" - 1 };

typedef struct {
    uint64_t no, count; /* 0 of 1: a file that was not split */
} part_number;

static bool read_number(const gguf *g, part_number *p, lory_err *err)
{
    *p = (part_number){ .count = 1 };
    return gguf_get_uint(g, "split.count", MOST_PARTS, &p->count, err)
           && gguf_get_uint(g, "split.no", MOST_PARTS, &p->no, err);
}

static void write_suffix(char suffix[SUFFIX_CHARS + 1], uint64_t no, uint64_t count)
{
    snprintf(suffix, SUFFIX_CHARS + 1, "-%05u-of-%05u.gguf", (unsigned)no + 1, (unsigned)count);
}

/* The path of a part with another number; NULL when there is no memory. */
static char *renumbered(const char *path, uint64_t no, uint64_t count)
{
    char suffix[SUFFIX_CHARS + 1];
    const size_t n = strlen(path);
    char *other = mem_new(n + 1, 1);
    if (!other) return NULL;
    write_suffix(suffix, no, count);
    memcpy(other, path, n - SUFFIX_CHARS);
    memcpy(other + n - SUFFIX_CHARS, suffix, sizeof suffix);
    return other;
}

/* Whether path is named as the first of `count` parts. */
static bool is_first_of(const char *path, uint64_t count)
{
    char suffix[SUFFIX_CHARS + 1];
    const size_t n = strlen(path);
    write_suffix(suffix, 0, count);
    return n >= SUFFIX_CHARS && strcmp(path + n - SUFFIX_CHARS, suffix) == 0;
}

/* The path of another part beside the first one's; NULL with the error where that can't be said. */
static char *path_of_part(const gguf *first, uint64_t no, uint64_t count, lory_err *err)
{
    char suffix[SUFFIX_CHARS + 1];
    const char *path = gguf_path(first);
    if (!is_first_of(path, count)) {
        write_suffix(suffix, 0, count);
        err_set(err, LORY_E_FORMAT,
                "%s: is the first of %" PRIu64 " files that a model was split into, but not named "
                "...%s, so the others can't be found", path, count, suffix);
        return NULL;
    }
    char *other = renumbered(path, no, count);
    if (!other) err_set(err, LORY_E_MEMORY, "%s: no memory", path);
    return other;
}

static bool open_part(const gguf *first, gguf *part, uint64_t no, uint64_t count, lory_err *err)
{
    part_number is;
    char *path = path_of_part(first, no, count, err);
    if (!path) return false;
    bool ok = gguf_open_as(part, first, path, err) && read_number(part, &is, err);
    if (ok && (is.no != no || is.count != count))
        ok = err_set(err, LORY_E_FORMAT,
                     "%s: is part %" PRIu64 " of %" PRIu64 " (expected part %" PRIu64 " of %" PRIu64
                     ")", path, is.no + 1, is.count, no + 1, count);
    mem_free(path);
    return ok;
}

/* What g will have of all parts. */
typedef struct {
    gguf_tensor *tensors; /* [n], so far n_used */
    size_t n, n_used;
    uint64_t n_bytes;
    name_table names;
} joined;

static bool count_tensors(const gguf *g, joined *all, lory_err *err)
{
    *all = (joined){ .n = g->n_tensors, .n_bytes = g->tensor_bytes };
    for (size_t i = 0; i < g->n_parts; i++) {
        all->n += g->parts[i].n_tensors;
        all->n_bytes += g->parts[i].tensor_bytes;
    }
    uint64_t n_said = all->n;
    if (!gguf_get_uint(g, "split.tensors.count", UINT32_MAX, &n_said, err)) return false;
    if (n_said == all->n) return true;
    return err_set(err, LORY_E_FORMAT,
                   "%s: its parts have %zu tensors (key 'split.tensors.count' says %" PRIu64 ")",
                   gguf_path(g), all->n, n_said);
}

static bool add_tensors(joined *all, const gguf *part, lory_err *err)
{
    for (size_t i = 0; i < part->n_tensors; i++) {
        gguf_str name = part->tensors[i].name;
        uint32_t *slot = name_table_slot(&all->names, name);
        if (*slot)
            return err_set(err, LORY_E_FORMAT, "%s: tensor '%.*s' is in an earlier part too",
                           gguf_path(part), name.n < 64 ? (int)name.n : 64, name.s);
        all->tensors[all->n_used++] = part->tensors[i];
        *slot = (uint32_t)all->n_used;
    }
    return true;
}

/* The tensors of all parts, findable by name. On failure *g is as it was. */
static bool join_tensors(gguf *g, lory_err *err)
{
    joined all;
    if (!count_tensors(g, &all, err)) return false;
    all.tensors = mem_new(all.n, sizeof *all.tensors);
    all.names = (name_table){ .items = all.tensors, .stride = sizeof *all.tensors,
                              .hash_key = g->hash_key };
    all.names.slots = name_table_new(all.n, &all.names.n_slots);
    bool ok = all.tensors && all.names.slots;
    if (!ok) err_set(err, LORY_E_MEMORY, "%s: out of memory for %zu tensors", gguf_path(g), all.n);
    ok = ok && add_tensors(&all, g, err);
    for (size_t i = 0; ok && i < g->n_parts; i++) ok = add_tensors(&all, &g->parts[i], err);
    if (!ok) {
        mem_free(all.tensors), mem_free(all.names.slots);
        return false;
    }
    mem_free(g->tensors), mem_free(g->tensor_slots);
    g->tensors = all.tensors, g->n_tensors = all.n, g->tensor_bytes = all.n_bytes;
    g->tensor_slots = all.names.slots, g->n_tensor_slots = all.names.n_slots;
    return true;
}

static bool open_parts(gguf *g, uint64_t count, lory_err *err)
{
    g->parts = mem_new((size_t)count - 1, sizeof *g->parts);
    if (!g->parts) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    for (uint64_t no = 1; no < count; no++)
        if (!open_part(g, &g->parts[g->n_parts++], no, count, err)) return false;
    return true;
}

bool gguf_join(gguf *g, lory_err *err)
{
    part_number first;
    if (g->n_parts > 0) return true;
    if (!read_number(g, &first, err)) return false;
    if (first.count <= 1) return true;
    if (first.no != 0)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: is part %" PRIu64 " of a model split into %" PRIu64
                       " files (expected the first, which finds the others)",
                       gguf_path(g), first.no + 1, first.count);
    if (open_parts(g, first.count, err) && join_tensors(g, err)) return true;
    gguf_close_parts(g);
    return false;
}

bool gguf_is_part(const char *first, const char *path)
{
    unsigned count;
    const size_t n = strlen(first);
    if (n < SUFFIX_CHARS || sscanf(first + n - SUFFIX_CHARS, "-00001-of-%5u.gguf", &count) != 1
        || !is_first_of(first, count))
        return false;
    bool is = false;
    for (uint64_t no = 1; no < count && !is; no++) {
        char *part = renumbered(first, no, count);
        is = !part || file_is_same(part, path);
        mem_free(part);
    }
    return is;
}

bool gguf_open_whole(gguf *g, const char *path, lory_err *err)
{
    if (!gguf_open(g, path, err)) return false;
    if (gguf_join(g, err)) return true;
    gguf_close(g);
    return false;
}

/* ---- the bytes of all files ---------------------------------------------------------------- */

/* The mapping that holds p; the first one where none does. */
static const file_map *map_of(const gguf *g, const void *p)
{
    for (size_t i = 0; i < g->n_parts; i++) {
        const file_map *m = &g->parts[i].map;
        if ((uintptr_t)p - (uintptr_t)m->data < m->size) return m;
    }
    return &g->map;
}

uint64_t gguf_file_bytes(const gguf *g)
{
    uint64_t n = g->map.size;
    for (size_t i = 0; i < g->n_parts; i++) n += g->parts[i].map.size;
    return n;
}

bool gguf_lock(const gguf *g, lory_err *err)
{
    bool ok = file_map_lock(&g->map, err);
    for (size_t i = 0; ok && i < g->n_parts; i++) ok = file_map_lock(&g->parts[i].map, err);
    return ok;
}

void gguf_will_need(const gguf *g)
{
    file_map_will_need(&g->map, 0, g->map.size);
    for (size_t i = 0; i < g->n_parts; i++)
        file_map_will_need(&g->parts[i].map, 0, g->parts[i].map.size);
}

void gguf_touch(const gguf *g, const void *p, size_t n_bytes)
{
    file_map_touch(map_of(g, p), p, n_bytes);
}

void gguf_forget(const gguf *g, const void *p, size_t n_bytes)
{
    file_map_forget(map_of(g, p), p, n_bytes);
}
