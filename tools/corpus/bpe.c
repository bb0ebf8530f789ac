/* bpe.c - see bpe.h. Each pair knows the words it was seen in, and a heap gives the best pair;
 * counts in the heap are brought up to date when they come to its top. */
#include "bpe.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/lookup.h"
#include <stdlib.h>
#include <string.h>

/* A word while it is merged: symbols instead of bytes. */
typedef struct {
    size_t first; /* in trainer.symbols */
    uint32_t n;
    uint64_t count;
} merge_word;

typedef struct {
    uint32_t left, right; /* symbols */
    uint64_t count;
    uint32_t *words; /* [n_words] where it was seen: may be there no more, or twice */
    size_t n_words, cap_words;
    uint64_t touched; /* the merge in which its count last grew */
} pair;

typedef struct {
    uint64_t count; /* when it was pushed */
    uint32_t pair;
} heap_entry;

typedef struct {
    strings symbols;  /* as in bpe */
    uint8_t *n_chars; /* [symbols.n] of each */
    size_t cap_chars;
    size_t n_alphabet;
    merge_word *words; /* [n_words] */
    uint32_t *flat;    /* symbols of all words, one after the other */
    size_t n_words;
    pair *pairs; /* [n_pairs] */
    size_t n_pairs, cap_pairs;
    uint32_t *slots; /* [n_slots] of pairs: number + 1, 0 = empty; at most half are in use */
    size_t n_slots;
    heap_entry *heap; /* [n_heap] */
    size_t n_heap, cap_heap;
    uint32_t *grown; /* [n_grown] pairs whose count grew in this merge */
    size_t n_grown, cap_grown;
    uint64_t i_merge; /* FIRST_COUNT, then one more each merge */
} trainer;

enum { FIRST_COUNT = 1 };

typedef struct {
    uint32_t cp;
    uint64_t count;
} char_count;

static int by_count(const void *a_, const void *b_)
{
    const char_count *a = a_, *b = b_;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    return a->cp < b->cp ? -1 : a->cp > b->cp;
}

/* How often each character is there; *n of them, most frequent first. Free with mem_free. */
static char_count *count_chars(const word_list *w, size_t *n)
{
    uint64_t *count = mem_new(UTF8_MAX + 1, sizeof *count);
    char_count *out = NULL;
    *n = 0;
    for (size_t i = 0; count && i < w->text.n; i++) {
        gguf_str s = strings_at(&w->text, i);
        uint32_t cp;
        for (size_t at = 0; at < s.n;) {
            at += utf8_decode(s.s + at, s.n - at, &cp);
            *n += count[cp] == 0;
            count[cp] += w->count[i];
        }
    }
    if (count) out = mem_new(*n, sizeof *out);
    for (uint32_t cp = 0, i = 0; out && cp <= UTF8_MAX; cp++)
        if (count[cp]) out[i++] = (char_count){ cp, count[cp] };
    if (out) qsort(out, *n, sizeof *out, by_count);
    mem_free(count);
    return out;
}

static int64_t put_symbol(trainer *t, const char *s, size_t n, size_t n_chars)
{
    int64_t id = strings_put(&t->symbols, s, n);
    if (id < 0 || !array_grow(&t->n_chars, (size_t)id, &t->cap_chars, 1)) return -1;
    t->n_chars[id] = (uint8_t)n_chars;
    return id;
}

/* The most frequent characters that make up `coverage` of the text, at most `max`, become the
 * first symbols. What is left out is written as bytes. */
static bool make_alphabet(trainer *t, const word_list *w, double coverage, size_t max)
{
    size_t n;
    char_count *chars = count_chars(w, &n);
    double total = 0, sum = 0;
    bool ok = chars != NULL;
    for (size_t i = 0; ok && i < n; i++) total += (double)chars[i].count;
    for (size_t i = 0; ok && i < n && i < max && sum < coverage * total; i++) {
        char s[UTF8_MAX_BYTES];
        ok = put_symbol(t, s, utf8_encode(chars[i].cp, s), 1) >= 0;
        sum += (double)chars[i].count;
    }
    t->n_alphabet = t->symbols.n;
    mem_free(chars);
    return ok;
}

/* Words become symbols; one with a character outside the alphabet is cut there. */
static bool split_words(trainer *t, const word_list *w)
{
    size_t n_flat = 0, cap_words = 0;
    t->flat = mem_new(w->text.bytes.len, sizeof *t->flat);
    if (!t->flat) return false;
    for (size_t i = 0; i < w->text.n; i++) {
        gguf_str s = strings_at(&w->text, i);
        bool is_open = false;
        for (size_t at = 0, len; at < s.n; at += len) {
            uint32_t cp;
            len = utf8_decode(s.s + at, s.n - at, &cp);
            int64_t id = strings_find(&t->symbols, s.s + at, len);
            if (id >= 0 && !is_open) {
                if (!array_grow(&t->words, t->n_words, &cap_words, sizeof *t->words)) return false;
                t->words[t->n_words++] = (merge_word){ n_flat, 0, w->count[i] };
            }
            is_open = id >= 0;
            if (!is_open) continue;
            t->flat[n_flat++] = (uint32_t)id;
            t->words[t->n_words - 1].n++;
        }
    }
    return true;
}

/* ---- pairs ------------------------------------------------------------------------------- */

static uint32_t *pair_slot_of(const trainer *t, uint32_t left, uint32_t right)
{
    size_t mask = t->n_slots - 1;
    for (size_t i = hash_mix((uint64_t)left << 32 | right) >> 8 & mask;; i = (i + 1) & mask) {
        const pair *p = t->slots[i] ? &t->pairs[t->slots[i] - 1] : NULL;
        if (!p || (p->left == left && p->right == right)) return &t->slots[i];
    }
}

static bool grow_slots(trainer *t)
{
    size_t n = t->n_slots ? 2 * t->n_slots : 4096;
    uint32_t *slots = mem_new(n, sizeof *slots);
    if (!slots) return false;
    mem_free(t->slots);
    t->slots = slots;
    t->n_slots = n;
    for (size_t i = 0; i < t->n_pairs; i++)
        *pair_slot_of(t, t->pairs[i].left, t->pairs[i].right) = (uint32_t)i + 1;
    return true;
}

static pair *need_pair(trainer *t, uint32_t left, uint32_t right)
{
    if (2 * t->n_pairs >= t->n_slots && !grow_slots(t)) return NULL;
    uint32_t *slot = pair_slot_of(t, left, right);
    if (!*slot) {
        if (!array_grow(&t->pairs, t->n_pairs, &t->cap_pairs, sizeof *t->pairs)) return NULL;
        t->pairs[t->n_pairs++] = (pair){ .left = left, .right = right };
        *slot = (uint32_t)t->n_pairs;
    }
    return &t->pairs[*slot - 1];
}

/* Counts the pairs of word iw. Only a pair that is new to the word needs to remember it. */
static bool add_pairs(trainer *t, uint32_t iw, uint32_t new_symbol)
{
    const merge_word *w = &t->words[iw];
    const uint32_t *s = t->flat + w->first;
    for (uint32_t i = 0; i + 1 < w->n; i++) {
        pair *p = need_pair(t, s[i], s[i + 1]);
        if (!p) return false;
        p->count += w->count;
        if (p->touched != t->i_merge) {
            if (!array_grow(&t->grown, t->n_grown, &t->cap_grown, sizeof *t->grown)) return false;
            t->grown[t->n_grown++] = (uint32_t)(p - t->pairs);
            p->touched = t->i_merge;
        }
        bool is_new = t->i_merge == FIRST_COUNT || s[i] == new_symbol || s[i + 1] == new_symbol;
        if (!is_new || (p->n_words && p->words[p->n_words - 1] == iw)) continue;
        if (!array_grow(&p->words, p->n_words, &p->cap_words, sizeof *p->words)) return false;
        p->words[p->n_words++] = iw;
    }
    return true;
}

static void remove_pairs(trainer *t, const merge_word *w)
{
    const uint32_t *s = t->flat + w->first;
    for (uint32_t i = 0; i + 1 < w->n; i++)
        t->pairs[*pair_slot_of(t, s[i], s[i + 1]) - 1].count -= w->count;
}

/* ---- heap: the most frequent pair first --------------------------------------------------- */

static bool comes_before(const trainer *t, heap_entry a, heap_entry b)
{
    const pair *p = &t->pairs[a.pair], *q = &t->pairs[b.pair];
    if (a.count != b.count) return a.count > b.count;
    if (p->left != q->left) return p->left < q->left;
    return p->right < q->right;
}

static bool heap_push(trainer *t, uint32_t i_pair)
{
    heap_entry e = { t->pairs[i_pair].count, i_pair };
    if (!array_grow(&t->heap, t->n_heap, &t->cap_heap, sizeof *t->heap)) return false;
    size_t i = t->n_heap++;
    for (; i > 0 && comes_before(t, e, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = e;
    return true;
}

static heap_entry heap_pop(trainer *t)
{
    heap_entry top = t->heap[0], e = t->heap[--t->n_heap];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < t->n_heap; i = k) {
        if (k + 1 < t->n_heap && comes_before(t, t->heap[k + 1], t->heap[k])) k++;
        if (!comes_before(t, t->heap[k], e)) break;
        t->heap[i] = t->heap[k];
    }
    t->heap[i] = e;
    return top;
}

static bool push_grown(trainer *t)
{
    bool ok = true;
    for (size_t i = 0; ok && i < t->n_grown; i++) ok = heap_push(t, t->grown[i]);
    t->n_grown = 0;
    return ok;
}

/* The most frequent pair; -1 when none is left that is there twice. */
static int64_t best_pair(trainer *t)
{
    while (t->n_heap > 0) {
        heap_entry e = heap_pop(t);
        const pair *p = &t->pairs[e.pair];
        if (p->count == e.count && e.count > 1) return e.pair;
        /* There is room for one: it was just popped. */
        if (p->count > 1 && p->count < e.count) heap_push(t, e.pair);
    }
    return -1;
}

/* ---- merging ----------------------------------------------------------------------------- */

static bool merge_in_word(trainer *t, uint32_t iw, const pair *p, uint32_t symbol)
{
    merge_word *w = &t->words[iw];
    uint32_t *s = t->flat + w->first, left = p->left, right = p->right, n = 0;
    bool is_there = false;
    for (uint32_t i = 0; i + 1 < w->n; i++) is_there |= s[i] == left && s[i + 1] == right;
    if (!is_there) return true;
    remove_pairs(t, w);
    for (uint32_t i = 0; i < w->n; n++) {
        bool is_pair = i + 1 < w->n && s[i] == left && s[i + 1] == right;
        s[n] = is_pair ? symbol : s[i];
        i += is_pair ? 2 : 1;
    }
    w->n = n;
    return add_pairs(t, iw, symbol);
}

/* Merges a pair everywhere. Two pairs may make the same text: then the symbol is the older one. */
static bool merge_pair(trainer *t, uint32_t i_pair)
{
    pair p = t->pairs[i_pair]; /* a copy: the array may move; words are taken over */
    size_t n_chars = (size_t)t->n_chars[p.left] + t->n_chars[p.right];
    t->pairs[i_pair].words = NULL;
    t->pairs[i_pair].n_words = t->pairs[i_pair].cap_words = 0;
    t->i_merge++;
    buf text = { 0 };
    bool ok = true;
    if (n_chars <= BPE_MAX_CHARS) {
        gguf_str l = strings_at(&t->symbols, p.left), r = strings_at(&t->symbols, p.right);
        ok = buf_put(&text, l.s, l.n) && buf_put(&text, r.s, r.n);
        int64_t symbol = ok ? put_symbol(t, text.data, text.len, n_chars) : -1;
        ok = symbol >= 0;
        for (size_t i = 0; ok && i < p.n_words; i++)
            ok = merge_in_word(t, p.words[i], &p, (uint32_t)symbol);
        ok = ok && push_grown(t);
    }
    buf_free(&text);
    mem_free(p.words);
    return ok;
}

/* Makes symbols until there are n_symbols or no pair is there twice. */
static bool merge_all(trainer *t, size_t n_symbols)
{
    bool ok = true;
    t->i_merge = FIRST_COUNT;
    for (uint32_t iw = 0; ok && iw < t->n_words; iw++) ok = add_pairs(t, iw, 0);
    ok = ok && push_grown(t);
    while (ok && t->symbols.n < n_symbols) {
        int64_t best = best_pair(t);
        if (best < 0) break;
        ok = merge_pair(t, (uint32_t)best);
    }
    return ok;
}

static void trainer_free(trainer *t)
{
    for (size_t i = 0; i < t->n_pairs; i++) mem_free(t->pairs[i].words);
    strings_free(&t->symbols);
    mem_free(t->n_chars);
    mem_free(t->words);
    mem_free(t->flat);
    mem_free(t->pairs);
    mem_free(t->slots);
    mem_free(t->heap);
    mem_free(t->grown);
}

/* ---- learning ---------------------------------------------------------------------------- */

static uint64_t count_pieces(const trainer *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->n_words; i++) n += t->words[i].n * t->words[i].count;
    return n;
}

bool bpe_learn(bpe *b, const word_list *w, size_t n_symbols, double coverage, lory_err *err)
{
    trainer t = { 0 };
    bool ok = make_alphabet(&t, w, coverage, n_symbols / 2) && split_words(&t, w)
              && merge_all(&t, n_symbols);
    if (!ok) err_set(err, LORY_E_MEMORY, "vocabulary: out of memory");
    if (ok && t.symbols.n < n_symbols)
        ok = err_set(err, LORY_E_ARGUMENT,
                     "vocabulary: the text has %zu pieces, not the %zu asked for", t.symbols.n,
                     n_symbols);
    *b = (bpe){ 0 };
    if (ok) {
        *b = (bpe){ t.symbols, t.n_alphabet, count_pieces(&t) };
        t.symbols = (strings){ 0 };
    }
    trainer_free(&t);
    return ok;
}

void bpe_free(bpe *b)
{
    strings_free(&b->symbols);
    *b = (bpe){ 0 };
}
