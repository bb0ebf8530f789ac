/* docs.c - see docs.h. */
#include "docs.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "token/lookup.h"
#include <stdio.h>
#include <string.h>

static const char *const drop_names[N_DROPS] = { "short",       "cut off", "seen before", "broken",
                                                 "placeholder", "matter",  "hard words" };

void docs_put(docs *d, const char *s, size_t n)
{
    if (d->failed) return;
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 256;
        size_t *start = mem_resize(d->start, d->cap ? d->cap + 1 : 0, cap + 1, sizeof *start);
        if (start) d->start = start, d->cap = cap, d->start[0] = 0;
        d->failed |= !start;
    }
    d->failed |= !buf_put(&d->bytes, s, n);
    if (!d->failed) d->start[++d->n] = d->bytes.len;
}

text_view docs_at(const docs *d, size_t i)
{
    return (text_view){ d->bytes.data + d->start[i], d->start[i + 1] - d->start[i] };
}

void docs_free(docs *d)
{
    buf_free(&d->bytes);
    mem_free(d->start);
    *d = (docs){ 0 };
}

/* ---- near duplicates --------------------------------------------------------------------- */

enum { SHINGLE_WORDS = 6 };

typedef struct {
    uint64_t *slot; /* [mask + 1] hashes, 0 = empty */
    size_t mask;
} hash_set;

/* Whether the hash is there; with `adds` it is from now on. The set has room. */
static bool set_has(hash_set *set, uint64_t hash, bool adds)
{
    hash += hash == 0;
    for (size_t i = hash & set->mask;; i = (i + 1) & set->mask) {
        if (set->slot[i] == hash) return true;
        if (set->slot[i]) continue;
        if (adds) set->slot[i] = hash;
        return false;
    }
}

/* The hash of the next word's letters, in lower case; 0 at the end of the text. */
static uint64_t next_word(text_view *t)
{
    uint64_t hash = 0;
    for (; t->n > 0; t->s++, t->n--) {
        char c = *t->s;
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c >= 'a' && c <= 'z')
            hash = hash_mix(hash ^ (unsigned char)c) + 1;
        else if (hash && c != '\'')
            break;
    }
    return hash;
}

/* Counts the runs of SHINGLE_WORDS words, and those of them that were seen. */
static void count_shingles(hash_set *set, text_view t, bool adds, size_t *n, size_t *n_seen)
{
    uint64_t last[SHINGLE_WORDS] = { 0 }, word;
    *n = *n_seen = 0;
    for (size_t i = 0; (word = next_word(&t)); i++) {
        memmove(last, last + 1, sizeof last - sizeof last[0]);
        last[SHINGLE_WORDS - 1] = word;
        if (i + 1 < SHINGLE_WORDS) continue;
        ++*n;
        *n_seen += set_has(set, hash_bytes((const char *)last, sizeof last), adds);
    }
}

static bool set_init(hash_set *set, size_t n_bytes)
{
    size_t n = 1024;
    while (n < n_bytes) n *= 2; /* a word has two bytes at least: at most half gets full */
    set->mask = n - 1;
    set->slot = mem_new(n, sizeof *set->slot);
    return set->slot != NULL;
}

/* Goes on with the documents that were kept. */
static void replace(docs *d, docs *kept, hash_set *set)
{
    memcpy(kept->n_dropped, d->n_dropped, sizeof kept->n_dropped);
    mem_free(set->slot);
    docs_free(d);
    *d = *kept;
}

void docs_dedupe(docs *d, const docs *before, int percent)
{
    hash_set set;
    docs kept = { 0 };
    size_t n, n_seen;
    if (!set_init(&set, d->bytes.len + (before ? before->bytes.len : 0))) d->failed = true;
    if (d->failed) return;
    for (size_t i = 0; before && i < before->n; i++)
        count_shingles(&set, docs_at(before, i), true, &n, &n_seen);
    for (size_t i = 0; i < d->n; i++) {
        text_view t = docs_at(d, i);
        count_shingles(&set, t, false, &n, &n_seen);
        bool is_seen = n > 0 && 100 * n_seen > (size_t)percent * n;
        d->n_dropped[DROP_DUPLICATE] += is_seen;
        if (is_seen) continue;
        count_shingles(&set, t, true, &n, &n_seen);
        docs_put(&kept, t.s, t.n);
    }
    replace(d, &kept, &set);
}

void docs_keep_plain(docs *d, const docs *known, int percent)
{
    hash_set set;
    docs kept = { 0 };
    uint64_t word;
    if (!set_init(&set, known->bytes.len)) d->failed = true;
    if (d->failed) return;
    text_view t = { known->bytes.data, known->bytes.len };
    while ((word = next_word(&t))) set_has(&set, word, true);
    for (size_t i = 0; i < d->n; i++) {
        size_t n = 0, n_known = 0;
        for (t = docs_at(d, i); (word = next_word(&t)); n++) n_known += set_has(&set, word, false);
        if (100 * n_known >= (size_t)percent * n)
            docs_put(&kept, docs_at(d, i).s, docs_at(d, i).n);
        else
            d->n_dropped[DROP_HARD]++;
    }
    replace(d, &kept, &set);
}

/* ---- files ------------------------------------------------------------------------------- */

void docs_report(const docs *d, const char *name, FILE *to)
{
    const char *before = ", dropped: ";
    fprintf(to, "%-28s %6zu documents, %8zu bytes", name, d->n, d->bytes.len);
    for (int i = 0; i < N_DROPS; i++) {
        if (d->n_dropped[i] == 0) continue;
        fprintf(to, "%s%zu %s", before, d->n_dropped[i], drop_names[i]);
        before = ", ";
    }
    fputc('\n', to);
}

bool docs_write(const docs *d, bool is_text, const char *dir, const char *name, lory_err *err)
{
    buf path = { 0 };
    file_new f = { 0 };
    if (d->failed || !buf_printf(&path, "%s/%s", dir, name)) {
        buf_free(&path);
        return err_set(err, LORY_E_MEMORY, "%s: out of memory", name);
    }
    bool ok = file_create(&f, path.data, err);
    for (size_t i = 0; ok && i < d->n; i++) {
        text_view t = docs_at(d, i);
        const char *end = is_text && i + 1 < d->n ? "\n" DOCUMENT_END "\n" : "\n";
        ok = file_write(&f, t.s, t.n, err) && file_write(&f, end, strlen(end), err);
    }
    ok = ok && file_commit(&f, err);
    file_abandon(&f);
    buf_free(&path);
    return ok;
}
