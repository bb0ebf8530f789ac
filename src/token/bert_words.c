/* bert_words.c - see bert_words.h. */
#include "token/bert_words.h"
#include "base/err.h"
#include "base/utf8.h"
#include "text/unicode.h"

typedef struct bert_words bert_words;
typedef bool (*bert_sink)(void *user, const char *word, size_t n);

static bool is_removed(uint32_t cp)
{
    if (cp == '\t' || cp == '\n' || cp == '\r') return false;
    return cp == 0 || cp == UTF8_BAD || cp == UTF8_REPLACEMENT || unicode_bits(cp) & UNICODE_C;
}

/* The CJK blocks of BERT's original code, and the one that Hugging Face shifted: U+2B920. */
static bool is_chinese(uint32_t cp)
{
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF)
           || (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B73F)
           || (cp >= 0x2B740 && cp <= 0x2B81F) || (cp >= 0x2B920 && cp <= 0x2CEAF)
           || (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

static bool is_punct(uint32_t cp)
{
    if (cp < 0x80) return cp > ' ' && cp < 0x7F && !(unicode_bits(cp) & (UNICODE_L | UNICODE_N));
    return unicode_bits(cp) & UNICODE_P;
}

static void put_clean(buf *out, const char *s, size_t n)
{
    uint32_t cp;
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_decode(s + i, n - i, &cp);
        if (is_removed(cp)) continue;
        if (unicode_bits(cp) & UNICODE_SPACE)
            buf_putc(out, ' ');
        else if (is_chinese(cp))
            buf_putc(out, ' '), buf_put(out, s + i, len), buf_putc(out, ' ');
        else
            buf_put(out, s + i, len);
    }
}

static bool flush(bert_words *w, bert_sink sink, void *user)
{
    bool ok = w->word.len == 0 || sink(user, w->word.data, w->word.len);
    w->word.len = 0;
    return ok && !w->word.failed;
}

/* Beyond ASCII: cleaned, decomposed, marks dropped, lower-cased. */
static bool put_other(bert_words *w, const char *s, size_t n, bert_sink sink, void *user)
{
    uint32_t cp;
    char c[UTF8_MAX_BYTES];
    buf_clear(&w->clean), buf_clear(&w->parts);
    put_clean(&w->clean, s, n);
    if (w->clean.failed) return false;
    if (!unicode_nfd(&w->parts, w->clean.data, w->clean.len)) {
        w->parts.failed = true;
        return false;
    }
    for (size_t i = 0; i < w->parts.len;) {
        i += utf8_decode(w->parts.data + i, w->parts.len - i, &cp);
        if (unicode_category_of(cp) == UNICODE_MN) continue;
        bool is_space = unicode_bits(cp) & UNICODE_SPACE, is_alone = is_punct(cp);
        if ((is_space || is_alone) && !flush(w, sink, user)) return false;
        if (is_space) continue;
        buf_put(&w->word, c, utf8_encode(unicode_to_lower(cp), c));
        if (is_alone && !flush(w, sink, user)) return false;
    }
    return true;
}

enum { ASCII_OTHER, ASCII_LETTER, ASCII_SPACE, ASCII_PUNCT };

static int ascii_class(unsigned char c)
{
    if (c >= 0x80 || is_removed(c)) return ASCII_OTHER;
    if (unicode_bits(c) & UNICODE_SPACE) return ASCII_SPACE;
    return is_punct(c) ? ASCII_PUNCT : ASCII_LETTER;
}

/* Appends the letters and digits at the start of s in lower case; returns how many. */
static size_t put_letters(bert_words *w, const char *s, size_t n)
{
    size_t len = 0;
    while (len < n && w->class_of[(unsigned char)s[len]] == ASCII_LETTER) len++;
    if (!buf_reserve(&w->word, len)) return len;
    for (size_t i = 0; i < len; i++)
        w->word.data[w->word.len++] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
    return len;
}

static void init(bert_words *w)
{
    *w = (bert_words){ 0 };
    for (int c = 0; c < 256; c++) w->class_of[c] = (uint8_t)ascii_class((unsigned char)c);
}

static bool split(bert_words *w, const char *s, size_t n, bert_sink sink, void *user)
{
    bool ok = true;
    buf_clear(&w->word);
    for (size_t i = 0, len; i < n && ok; i += len) {
        switch (w->class_of[(unsigned char)s[i]]) {
        case ASCII_LETTER: len = put_letters(w, s + i, n - i); break;
        case ASCII_SPACE:
            len = 1;
            ok = flush(w, sink, user);
            break;
        case ASCII_PUNCT:
            len = 1;
            ok = flush(w, sink, user) && buf_putc(&w->word, s[i]) && flush(w, sink, user);
            break;
        default: /* marks are put in order across what is removed */
            for (len = 1; i + len < n && w->class_of[(unsigned char)s[i + len]] == ASCII_OTHER;)
                len++;
            ok = put_other(w, s + i, len, sink, user);
        }
    }
    return ok && flush(w, sink, user);
}

/* ---- the scratch of a tokenizer ------------------------------------------------------------- */

void *bert_scratch_new(size_t size, const tokenizer *t, size_t n)
{
    bert_scratch *x = word_scratch_new(size, t, n);
    if (x) init(&x->words);
    return x;
}

void bert_scratch_free(bert_scratch *x)
{
    buf_free(&x->words.clean);
    buf_free(&x->words.parts);
    buf_free(&x->words.word);
    word_scratch_free(&x->w);
}

bool bert_encode(bert_scratch *x, const char *s, size_t n, bert_sink encode_word,
                 lory_tokens *out, lory_err *err)
{
    const bert_words *w = &x->words;
    x->w.out = out;
    x->w.err = err;
    if (split(&x->words, s, n, encode_word, x)) return true;
    if (w->clean.failed || w->parts.failed || w->word.failed)
        err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
    return false;
}
