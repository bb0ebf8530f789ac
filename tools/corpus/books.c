/* books.c - see books.h. */
#include "books.h"
#include "clean.h"
#include <string.h>

enum {
    MIN_DOC_BYTES = 300,
    FULL_DOC_BYTES = 1400, /* a document ends with the paragraph that reaches this */
    MAX_DOC_BYTES = 2000,  /* a longer one is cut at a sentence */
    MAX_HEADING_BYTES = 80,
    MIN_PROSE_BYTES = 20,
    N_DOCS_BEFORE_NOTES = 10, /* a heading "Notes" before that is of the contents */
};

typedef struct {
    docs *out;
    buf doc;
    size_t n_docs;    /* of this book */
    bool is_skipping; /* preface, contents and the like */
    bool is_at_notes; /* nothing but notes follows in this book */
} book;

static bool contains(const char *s, size_t n, const char *part)
{
    return memmem(s, n, part, strlen(part)) != NULL;
}

static bool begins(const char *s, size_t n, const char *part)
{
    size_t len = strlen(part);
    return n >= len && memcmp(s, part, len) == 0;
}

/* ---- lines -------------------------------------------------------------------------------- */

/* A heading: short, its letters capitals, or "Chapter ...". */
static bool is_heading(const char *s, size_t n)
{
    bool has_letter = false;
    if (n > MAX_HEADING_BYTES) return false;
    if (begins(s, n, "Chapter ") || begins(s, n, "CHAPTER ")) return true;
    for (size_t i = 0; i < n; i++) {
        if (s[i] >= 'a' && s[i] <= 'z') return false;
        has_letter |= s[i] >= 'A' && s[i] <= 'Z';
    }
    return has_letter && s[n - 1] != '!' && s[n - 1] != '?' && s[n - 1] != '"';
}

static bool is_front_matter(const char *s, size_t n)
{
    static const char *const words[] = {
        "PREFACE",  "CONTENTS",   "INTRODUCTION", "ILLUSTRATIONS",
        "PREPARER", "DEDICATION", "IN COLOUR",    "BLACK AND WHITE"
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (contains(s, n, words[i])) return true;
    return false;
}

static bool is_note(const char *s, size_t n)
{
    static const char *const starts[] = { "*",           "[Illustration",   "[Footnote", "[*",
                                          "_Source",     "_Parallels",      "_Remarks",  "Source",
                                          "Produced by", "[later editions", "(1)",       "(2)",
                                          "(3)" };
    static const char *const parts[] = { "Gutenberg", "gutenberg", "Transcriber", "http" };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (begins(s, n, starts[i])) return true;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (contains(s, n, parts[i])) return true;
    return false;
}

/* Prose begins as a sentence does and ends as one does, or before speech. */
static bool is_prose(const char *s, size_t n)
{
    if (n < MIN_PROSE_BYTES) return false;
    char first = s[0] == '"' ? s[1] : s[0], last = s[n - 1];
    return first >= 'A' && first <= 'Z' && (is_sentence_end(s, n) || strchr(":,;-\"", last));
}

/* ---- documents ---------------------------------------------------------------------------- */

static void end_doc(book *b)
{
    const char *s = b->doc.data;
    size_t n = b->doc.len;
    while (n > 0 && !is_sentence_end(s, n)) n--; /* "..., and he said:" */
    if (n >= MIN_DOC_BYTES) {
        docs_put(b->out, s, n);
        b->n_docs++;
    } else if (b->doc.len > 0)
        b->out->n_dropped[DROP_SHORT]++;
    b->out->failed |= b->doc.failed;
    buf_clear(&b->doc);
}

/* Where the last sentence that ends within s[0..max) ends, with all speech closed; 0 if none. */
static size_t last_sentence(const char *s, size_t n, size_t max)
{
    size_t end = 0;
    bool is_speech = false;
    for (size_t i = 0; i < n && i < max; i++) {
        if (s[i] == '"') is_speech = !is_speech;
        bool begins_next = i + 2 < n && s[i + 1] == ' '
                           && (s[i + 2] == '"' || (s[i + 2] >= 'A' && s[i + 2] <= 'Z'));
        if (begins_next && !is_speech && is_sentence_end(s, i + 1)) end = i + 1;
    }
    return end;
}

static void put_paragraph(book *b, const char *s, size_t n)
{
    while (b->doc.len + n > MAX_DOC_BYTES && b->doc.len < MAX_DOC_BYTES) {
        size_t len = last_sentence(s, n, MAX_DOC_BYTES - b->doc.len);
        if (len == 0 && b->doc.len < MIN_DOC_BYTES) break; /* one endless sentence */
        if (len > 0) {
            if (b->doc.len > 0) buf_putc(&b->doc, '\n');
            buf_put(&b->doc, s, len);
            s += len + 1;
            n -= len + 1;
        }
        end_doc(b);
    }
    if (b->doc.len > 0) buf_putc(&b->doc, '\n');
    buf_put(&b->doc, s, n);
    if (b->doc.len >= FULL_DOC_BYTES) end_doc(b);
}

static void put_heading(book *b, const char *s, size_t n)
{
    end_doc(b);
    if (begins(s, n, "NOTES") && b->n_docs > N_DOCS_BEFORE_NOTES) b->is_at_notes = true;
    b->is_skipping = b->is_at_notes || is_front_matter(s, n);
}

static void put_line(book *b, const char *s, size_t n)
{
    buf text = { 0 };
    bool is_matter = b->is_skipping || is_note(s, n);
    if (is_matter)
        b->out->n_dropped[DROP_MATTER]++;
    else if (!clean_text(&text, s, n))
        b->out->n_dropped[DROP_BROKEN]++;
    else {
        clean_print(&text);
        if (is_prose(text.data ? text.data : "", text.len))
            put_paragraph(b, text.data, text.len);
        else
            b->out->n_dropped[DROP_MATTER]++;
    }
    buf_free(&text);
}

void books_read(docs *out, const char *s, size_t n)
{
    book b = { .out = out };
    for (const char *end = s + n; s < end;) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        size_t n_line = (size_t)((stop ? stop : end) - s);
        if (begins(s, n_line, DOCUMENT_END)) {
            end_doc(&b);
            b.n_docs = 0;
            b.is_skipping = b.is_at_notes = false;
        } else if (n_line > 0 && is_heading(s, n_line))
            put_heading(&b, s, n_line);
        else if (n_line > 0)
            put_line(&b, s, n_line);
        s += n_line + 1;
    }
    end_doc(&b);
    buf_free(&b.doc);
}
