/* train_tokenizer.c - trains a vocabulary of SentencePiece's BPE kind from text and writes it as a
 * GGUF file without tensors: the keys tokenizer.ggml.*, as LLaMA's files have them, and the chat
 * template that goes with the control tokens below.
 *
 *     train_tokenizer --vocab 4096 -o tokenizer.gguf stories.txt chats.jsonl ...
 *
 * Ids: <unk> <s> </s>, the 256 bytes, the control tokens, merged pieces in the order they were
 * made, characters by frequency. Scores are minus the rank, so that token/tok_spm.c merges in the
 * order of the training.
 *
 * Text becomes words with counts; the most frequent pair of neighbours in them is merged again and
 * again (Sennrich, Haddow, Birch 2016). A blank begins a word and no piece reaches over the end of
 * one. Besides, pieces never mix letters with other characters (an apostrophe between letters
 * counts as a letter), digits stay alone, and a line break is a byte. Each pair knows the words it
 * was seen in, and a heap gives the best pair; counts in the heap are brought up to date when they
 * come to its top. Of equally frequent pairs the one whose parts are older comes first, so the
 * same text in the same order gives the same file. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "gguf/gguf_write.h"
#include "text/json.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "token/lookup.h"
#include "token/vocab.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANK "\xE2\x96\x81" /* U+2581, which stands for a blank in pieces */
static const char document_end[] = "<|endoftext|>";

enum {
    N_BYTES = 256,
    MAX_PIECE_CHARS = 16,
    MAX_WORD_CHARS = 64, /* longer runs of letters are cut: they are no words */
    MIN_VOCAB = 512,
    MAX_VOCAB = 65536,
};

/* The first three are ids 0, 1, 2; the control tokens of chats come after the bytes. */
static const char *const specials[] = { "<unk>",    "<s>",           "</s>",   "<|system|>",
                                        "<|user|>", "<|assistant|>", "<|end|>" };
enum { ID_UNK, ID_BOS, ID_EOS, ID_SYSTEM, ID_USER, ID_ASSISTANT, ID_END, N_SPECIALS };
enum { N_PLAIN_SPECIALS = ID_EOS + 1 };
_Static_assert(sizeof specials / sizeof specials[0] == N_SPECIALS, "one text an id");

static const char chat_template[] =
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('roles are system, user and assistant') }}{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/* ---- strings by number ------------------------------------------------------------------- */

/* Distinct strings, numbered as they come. */
typedef struct {
    buf bytes;
    size_t *start;  /* [n + 1] string i is bytes[start[i] .. start[i + 1]) */
    uint32_t *slot; /* [n_slots] number + 1, 0 = empty; at most half are in use */
    size_t n, cap, n_slots;
} strings;

static gguf_str string_at(const strings *t, size_t i)
{
    return (gguf_str){ t->bytes.data + t->start[i], t->start[i + 1] - t->start[i] };
}

/* The slot of that string, or the empty one where it belongs. */
static uint32_t *string_slot(const strings *t, const char *s, size_t n)
{
    for (size_t i = hash_bytes(s, n) & (t->n_slots - 1);; i = (i + 1) & (t->n_slots - 1)) {
        if (t->slot[i] == 0) return &t->slot[i];
        gguf_str other = string_at(t, t->slot[i] - 1);
        if (other.n == n && memcmp(other.s, s, n) == 0) return &t->slot[i];
    }
}

static bool strings_grow(strings *t)
{
    size_t cap = t->cap ? 2 * t->cap : 1024;
    size_t *start = mem_resize(t->start, t->cap ? t->cap + 1 : 0, cap + 1, sizeof *start);
    if (start) t->start = start, t->start[0] = 0;
    uint32_t *slot = start ? mem_new(2 * cap, sizeof *slot) : NULL;
    if (!slot) return false;
    mem_free(t->slot);
    t->slot = slot;
    t->cap = cap;
    t->n_slots = 2 * cap;
    for (size_t i = 0; i < t->n; i++) {
        gguf_str s = string_at(t, i);
        *string_slot(t, s.s, s.n) = (uint32_t)i + 1;
    }
    return true;
}

/* The number of a string, a new one when it was not there; -1 when memory can't be had. */
static int64_t strings_put(strings *t, const char *s, size_t n)
{
    if (t->n == t->cap && (t->n >= UINT32_MAX / 4 || !strings_grow(t))) return -1;
    uint32_t *slot = string_slot(t, s, n);
    if (*slot) return *slot - 1;
    if (!buf_put(&t->bytes, s, n)) return -1;
    t->start[t->n + 1] = t->bytes.len;
    *slot = (uint32_t)++t->n;
    return (int64_t)t->n - 1;
}

static void strings_free(strings *t)
{
    buf_free(&t->bytes);
    mem_free(t->start);
    mem_free(t->slot);
}

/* Makes room for one more element of an array that doubles. */
static bool grow(void *array, size_t n, size_t *cap, size_t size)
{
    void **p = array;
    if (n < *cap) return true;
    size_t more = *cap ? 2 * *cap : 16;
    void *q = mem_resize(*p, *cap, more, size);
    if (!q) return false;
    *p = q;
    *cap = more;
    return true;
}

/* ---- words of the text ------------------------------------------------------------------- */

typedef struct {
    strings text;    /* of the words; a blank is ' ' */
    uint64_t *count; /* [text.n] */
    size_t cap;
    uint64_t n_bytes, n_docs; /* of text that was read */
} word_list;

static bool put_word(word_list *w, const char *s, size_t n)
{
    int64_t i = strings_put(&w->text, s, n);
    if (i < 0 || !grow(&w->count, (size_t)i, &w->cap, sizeof *w->count)) return false;
    w->count[i]++;
    return true;
}

typedef enum { ALONE, BLANKS, LETTERS, MARKS } char_class;

static char_class class_of(uint32_t cp)
{
    if (cp == ' ' || cp == 0x2581) return BLANKS;
    uint32_t bits = unicode_bits(cp);
    if (bits & (UNICODE_L | UNICODE_M)) return LETTERS;
    return bits & (UNICODE_P | UNICODE_S) ? MARKS : ALONE;
}

/* The class of the character at s[0]; `before` is that of the one before it. */
static char_class next_class(const char *s, size_t n, char_class before, size_t *len)
{
    uint32_t cp, after;
    *len = utf8_decode(s, n, &cp);
    if (cp == '\'' && before == LETTERS && n > 1) {
        utf8_decode(s + 1, n - 1, &after);
        if (class_of(after) == LETTERS) return LETTERS;
    }
    return class_of(cp);
}

/* The next word of s[0..n), n > 0, appended to *out: its length in s. What can't be in a piece, a
 * control character or a malformed byte, is passed over and gives no word. */
static size_t take_word(const char *s, size_t n, char_class *before, buf *out)
{
    size_t at = 0, len;
    char_class kind = BLANKS;
    for (int n_chars = 0; at < n && n_chars < MAX_WORD_CHARS; at += len, n_chars++) {
        char_class c = next_class(s + at, n - at, at ? kind : *before, &len);
        bool joins = n_chars == 0 || (c != BLANKS && c != ALONE && (kind == BLANKS || kind == c));
        if (!joins) break;
        kind = c;
        if (c == BLANKS)
            buf_putc(out, ' ');
        else if (len > 1 || (unsigned char)s[at] - 0x20u < 0x5F)
            buf_put(out, s + at, len);
        if (c == ALONE) {
            at += len;
            break;
        }
    }
    *before = kind;
    return at;
}

/* A document: what the tokenizer gets in one piece, so a blank comes first. */
static bool add_document(word_list *w, const char *s, size_t n, lory_err *err)
{
    buf word = { 0 };
    bool ok = n == 0 || buf_putc(&word, ' ');
    char_class before = BLANKS;
    uint32_t first = 0;
    if (n > 0) utf8_decode(s, n, &first);
    if (ok && n > 0 && class_of(first) < LETTERS) /* the blank stays alone */
        ok = put_word(w, word.data, word.len), buf_clear(&word);
    for (size_t at = 0; ok && at < n;) {
        at += take_word(s + at, n - at, &before, &word);
        ok = !word.failed && (word.len == 0 || put_word(w, word.data, word.len));
        buf_clear(&word);
    }
    buf_free(&word);
    w->n_bytes += n;
    w->n_docs += n > 0;
    return ok || err_set(err, LORY_E_MEMORY, "train_tokenizer: out of memory for the words");
}

/* Plain text: documents end at a line that is document_end. */
static bool add_text(word_list *w, const char *s, size_t n, lory_err *err)
{
    size_t n_mark = sizeof document_end - 1;
    for (const char *end = s + n; s < end;) {
        const char *mark = memmem(s, (size_t)(end - s), document_end, n_mark);
        const char *last = mark ? mark : end, *next = mark ? mark + n_mark : end;
        while (last > s && last[-1] == '\n') last--;
        if (!add_document(w, s, (size_t)(last - s), err)) return false;
        for (s = next; s < end && *s == '\n';) s++;
    }
    return true;
}

static bool add_messages(word_list *w, const json *messages, const char *name, lory_err *err)
{
    if (!messages || messages->type != JSON_ARRAY)
        return err_set(err, LORY_E_FORMAT, "%s: no array \"messages\"", name);
    for (const json *m = messages->first; m; m = m->next) {
        const char *s;
        size_t n;
        if (!json_get_str(json_get(m, "content"), &s, &n))
            return err_set(err, LORY_E_FORMAT, "%s: a message without \"content\"", name);
        if (!add_document(w, s, n, err)) return false;
    }
    return true;
}

/* A conversation a line: {"messages": [{"content": "..."}, ...]}. Each message is a document. */
static bool add_chats(word_list *w, const char *s, size_t n, const char *path, lory_err *err)
{
    bool ok = true;
    uint64_t i_line = 1;
    for (const char *end = s + n; ok && s < end; i_line++) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        size_t n_line = (size_t)((stop ? stop : end) - s);
        char name[256];
        json_doc d;
        snprintf(name, sizeof name, "%.200s, line %" PRIu64, path, i_line);
        ok = json_read(&d, s, n_line, name, err);
        if (ok) {
            ok = add_messages(w, json_get(d.root, "messages"), name, err);
            json_close(&d);
        }
        s += n_line + 1;
    }
    return ok;
}

static bool add_file(word_list *w, const char *path, lory_err *err)
{
    file_map m;
    size_t n_path = strlen(path);
    bool is_jsonl = n_path > 6 && strcmp(path + n_path - 6, ".jsonl") == 0;
    if (!file_map_open(&m, path, err)) return false;
    const char *s = (const char *)m.data;
    bool ok = is_jsonl ? add_chats(w, s, m.size, path, err) : add_text(w, s, m.size, err);
    file_map_close(&m);
    return ok;
}

/* ---- characters -------------------------------------------------------------------------- */

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
    strings symbols;  /* texts: characters first, then merged pieces */
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
    uint64_t i_merge;
} trainer;

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
        gguf_str s = string_at(&w->text, i);
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
    if (id < 0 || !grow(&t->n_chars, (size_t)id, &t->cap_chars, 1)) return -1;
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
        gguf_str s = string_at(&w->text, i);
        bool is_open = false;
        for (size_t at = 0, len; at < s.n; at += len) {
            uint32_t cp, id;
            len = utf8_decode(s.s + at, s.n - at, &cp);
            id = *string_slot(&t->symbols, s.s + at, len);
            if (id && !is_open) {
                if (!grow(&t->words, t->n_words, &cap_words, sizeof *t->words)) return false;
                t->words[t->n_words++] = (merge_word){ n_flat, 0, w->count[i] };
            }
            is_open = id != 0;
            if (!id) continue;
            t->flat[n_flat++] = id - 1;
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
        if (!grow(&t->pairs, t->n_pairs, &t->cap_pairs, sizeof *t->pairs)) return NULL;
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
            if (!grow(&t->grown, t->n_grown, &t->cap_grown, sizeof *t->grown)) return false;
            t->grown[t->n_grown++] = (uint32_t)(p - t->pairs);
            p->touched = t->i_merge;
        }
        bool is_new = t->i_merge == 1 || s[i] == new_symbol || s[i + 1] == new_symbol;
        if (!is_new || (p->n_words && p->words[p->n_words - 1] == iw)) continue;
        if (!grow(&p->words, p->n_words, &p->cap_words, sizeof *p->words)) return false;
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
    if (!grow(&t->heap, t->n_heap, &t->cap_heap, sizeof *t->heap)) return false;
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
    if (n_chars <= MAX_PIECE_CHARS) {
        gguf_str l = string_at(&t->symbols, p.left), r = string_at(&t->symbols, p.right);
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

/* Makes symbols until there are n_symbols or no pair is frequent enough. */
static bool train(trainer *t, size_t n_symbols, lory_err *err)
{
    bool ok = true;
    t->i_merge = 1;
    for (uint32_t iw = 0; ok && iw < t->n_words; iw++) ok = add_pairs(t, iw, 0);
    ok = ok && push_grown(t);
    while (ok && t->symbols.n < n_symbols) {
        int64_t best = best_pair(t);
        if (best < 0) break;
        ok = merge_pair(t, (uint32_t)best);
    }
    return ok || err_set(err, LORY_E_MEMORY, "train_tokenizer: out of memory for pairs");
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

/* ---- the file ---------------------------------------------------------------------------- */

typedef struct {
    buf text;      /* of all tokens */
    size_t *start; /* [n + 1] */
    gguf_str *texts;
    float *score;
    int32_t *type;
    size_t n;
} token_table;

static void put_token(token_table *v, token_type type, const char *s, size_t n)
{
    v->type[v->n] = type;
    v->start[v->n] = v->text.len;
    for (size_t i = 0; i < n; i++)
        if (s[i] == ' ' && type == TOKEN_NORMAL)
            buf_puts(&v->text, BLANK);
        else
            buf_putc(&v->text, s[i]);
    v->start[++v->n] = v->text.len;
}

static void put_pieces(token_table *v, const trainer *t, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        gguf_str s = string_at(&t->symbols, i);
        v->score[v->n] = -(float)(v->n - N_BYTES - N_SPECIALS);
        put_token(v, TOKEN_NORMAL, s.s, s.n);
    }
}

/* Every token in the order of its id. */
static void put_tokens(token_table *v, const trainer *t)
{
    for (int i = 0; i < N_PLAIN_SPECIALS; i++)
        put_token(v, i == ID_UNK ? TOKEN_UNKNOWN : TOKEN_CONTROL, specials[i], strlen(specials[i]));
    for (int i = 0; i < N_BYTES; i++) {
        char s[8];
        put_token(v, TOKEN_BYTE, s, (size_t)snprintf(s, sizeof s, "<0x%02X>", (unsigned)i & 255));
    }
    for (int i = N_PLAIN_SPECIALS; i < N_SPECIALS; i++)
        put_token(v, TOKEN_CONTROL, specials[i], strlen(specials[i]));
    put_pieces(v, t, t->n_alphabet, t->symbols.n);
    put_pieces(v, t, 0, t->n_alphabet);
    for (size_t i = 0; !v->text.failed && i < v->n; i++)
        v->texts[i] = (gguf_str){ v->text.data + v->start[i], v->start[i + 1] - v->start[i] };
}

static void put_keys(gguf_writer *w, const token_table *v)
{
    gguf_put_str(w, "general.architecture", "llama");
    gguf_put_str(w, "tokenizer.ggml.model", "llama");
    gguf_put_str(w, "tokenizer.ggml.pre", "default");
    gguf_put_strs(w, "tokenizer.ggml.tokens", v->texts, v->n);
    gguf_put_f32s(w, "tokenizer.ggml.scores", v->score, v->n);
    gguf_put_i32s(w, "tokenizer.ggml.token_type", v->type, v->n);
    gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", ID_UNK);
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", ID_BOS);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", ID_EOS);
    gguf_put_u32(w, "tokenizer.ggml.eot_token_id", N_BYTES + ID_END);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
    gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
    gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", true);
    gguf_put_bool(w, "tokenizer.ggml.remove_extra_whitespaces", false);
    gguf_put_str(w, "tokenizer.chat_template", chat_template);
}

static bool write_file(const trainer *t, const char *path, lory_err *err)
{
    size_t n = N_SPECIALS + N_BYTES + t->symbols.n;
    token_table v = { .start = mem_new(n + 1, sizeof *v.start),
                      .texts = mem_new(n, sizeof *v.texts),
                      .score = mem_new(n, sizeof *v.score),
                      .type = mem_new(n, sizeof *v.type) };
    gguf_writer w = { 0 };
    bool ok = v.start && v.texts && v.score && v.type;
    if (ok) put_tokens(&v, t);
    if (!ok || v.text.failed) ok = err_set(err, LORY_E_MEMORY, "%s: out of memory", path);
    ok = ok && gguf_create(&w, path, err);
    if (ok) {
        put_keys(&w, &v);
        ok = gguf_begin_data(&w, err) && gguf_commit(&w, err);
    }
    gguf_abandon(&w);
    buf_free(&v.text);
    mem_free(v.start);
    mem_free(v.texts);
    mem_free(v.score);
    mem_free(v.type);
    return ok;
}

/* ---- command line ------------------------------------------------------------------------ */

typedef struct {
    long n_vocab;
    double coverage;
    const char *out;
} options;

static uint64_t count_symbols(const trainer *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->n_words; i++) n += t->words[i].n * t->words[i].count;
    return n;
}

static bool make(const options *o, const word_list *w, lory_err *err)
{
    size_t n_symbols = (size_t)o->n_vocab - N_BYTES - N_SPECIALS;
    trainer t = { 0 };
    bool ok = make_alphabet(&t, w, o->coverage, n_symbols / 2) && split_words(&t, w);
    if (!ok) err_set(err, LORY_E_MEMORY, "train_tokenizer: out of memory for words");
    ok = ok && train(&t, n_symbols, err);
    if (ok && t.symbols.n < n_symbols)
        ok = err_set(err, LORY_E_ARGUMENT,
                     "train_tokenizer: the text has pairs for %zu tokens, not for %ld",
                     t.symbols.n + N_BYTES + N_SPECIALS, o->n_vocab);
    ok = ok && write_file(&t, o->out, err);
    if (ok)
        fprintf(stderr,
                "%s: %ld tokens, %zu of them characters; from %" PRIu64 " documents, %" PRIu64
                " bytes, %zu different words; %.3f bytes a piece\n",
                o->out, o->n_vocab, t.n_alphabet, w->n_docs, w->n_bytes, w->text.n,
                (double)w->n_bytes / (double)count_symbols(&t));
    trainer_free(&t);
    return ok;
}

static int usage(FILE *to, const char *what)
{
    if (what) fprintf(to, "train_tokenizer: %s\n", what);
    fputs("usage: train_tokenizer [--vocab N] [--coverage X] -o FILE.gguf TEXT ...\n\n"
          "Trains a SentencePiece-style BPE vocabulary and writes it as GGUF, with the control\n"
          "tokens and the template of our chats. A TEXT is plain text with lines <|endoftext|>\n"
          "between documents or, if its name ends in .jsonl, a conversation a line:\n"
          "{\"messages\": [{\"role\": ..., \"content\": ...}, ...]}. A file named twice counts "
          "twice.\n\n"
          "  --vocab N     tokens, 512 to 65536 (default: 4096)\n"
          "  --coverage X  part of the text whose characters get a token of their own; the rest\n"
          "                is written as bytes (default: 0.9999)\n"
          "  -o FILE       the file to write\n",
          to);
    return to == stdout ? 0 : 2;
}

static bool set_option(options *o, const char *name, const char *value)
{
    char *end = NULL;
    if (strcmp(name, "-o") == 0) return *(o->out = value) != '\0';
    if (strcmp(name, "--vocab") == 0) {
        o->n_vocab = strtol(value, &end, 10);
        return *value && !*end && o->n_vocab >= MIN_VOCAB && o->n_vocab <= MAX_VOCAB;
    }
    if (strcmp(name, "--coverage") != 0) return false;
    o->coverage = strtod(value, &end);
    return *value && !*end && o->coverage > 0 && o->coverage <= 1;
}

int main(int argc, char **argv)
{
    options o = { .n_vocab = 4096, .coverage = 0.9999 };
    word_list w = { 0 };
    lory_err err;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return usage(stdout, NULL);
        if (i + 1 == argc || !set_option(&o, argv[i], argv[i + 1])) return usage(stderr, argv[i]);
    }
    if (!o.out || i >= argc) return usage(stderr, "-o and a text are needed");
    bool ok = true;
    for (; ok && i < argc; i++) ok = add_file(&w, argv[i], &err);
    ok = ok && make(&o, &w, &err);
    strings_free(&w.text);
    mem_free(w.count);
    if (!ok) fprintf(stderr, "train_tokenizer: %s\n", err.text);
    return ok ? 0 : 1;
}
