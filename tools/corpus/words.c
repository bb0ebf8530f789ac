/* words.c - see words.h. A blank begins a word. Besides, letters never share one with other
 * characters (an apostrophe between letters counts as a letter), digits stay alone, and what can't
 * be in a piece, such as a line break, is passed over: it is written as bytes. */
#include "words.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "read.h"
#include "text/unicode.h"
#include <string.h>

enum { MAX_WORD_CHARS = 64 }; /* longer runs of letters are cut: they are no words */

static bool put_word(word_list *w, const char *s, size_t n)
{
    int64_t i = strings_put(&w->text, s, n);
    if (i < 0 || !array_grow(&w->count, (size_t)i, &w->cap, sizeof *w->count)) return false;
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

bool words_add(word_list *w, const char *s, size_t n, lory_err *err)
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
    return ok || err_set(err, LORY_E_MEMORY, "words: out of memory");
}

static bool add_text(void *w, const char *s, size_t n, lory_err *err)
{
    return words_add(w, s, n, err);
}

static bool add_messages(void *w, const json *messages, lory_err *err)
{
    for (const json *m = messages->first; m; m = m->next) {
        const char *s;
        size_t n;
        if (!json_get_str(json_get(m, "content"), &s, &n))
            return err_set(err, LORY_E_FORMAT, "a message without \"content\"");
        if (!words_add(w, s, n, err)) return false;
    }
    return true;
}

bool words_add_running(word_list *w, const char *path, lory_err *err)
{
    return read_texts(path, true, add_text, w, err);
}

bool words_add_file(word_list *w, const char *path, lory_err *err)
{
    size_t n = strlen(path);
    bool is_jsonl = n > 6 && strcmp(path + n - 6, ".jsonl") == 0;
    return is_jsonl ? read_chats(path, add_messages, w, err)
                    : read_texts(path, false, add_text, w, err);
}

void words_free(word_list *w)
{
    strings_free(&w->text);
    mem_free(w->count);
    *w = (word_list){ 0 };
}
