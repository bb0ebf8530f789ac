/* stories.c - see stories.h. */
#include "stories.h"
#include "base/rng.h"
#include "chats.h"
#include "clean.h"
#include "names.h"
#include <string.h>

enum { MIN_STORY_BYTES = 200 };

/* ---- reading ------------------------------------------------------------------------------ */

static drop_reason check_story(const buf *text)
{
    if (text->len < MIN_STORY_BYTES) return DROP_SHORT;
    for (size_t i = 0; i < text->len; i++)
        if (strchr("[]{}<>|*_=\\", text->data[i])) return DROP_PLACEHOLDER;
    return is_sentence_end(text->data, text->len) ? N_DROPS : DROP_CUT;
}

/* A last line "The End" says nothing. */
static void cut_the_end(buf *text)
{
    static const char *const ends[] = { "\nThe End", "\nTHE END", "\nThe end", "\nThe End.",
                                        "\nThe end." };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i]);
        if (text->len > n && memcmp(text->data + text->len - n, ends[i], n) == 0) text->len -= n;
    }
}

void stories_read(docs *out, const char *s, size_t n)
{
    for (const char *end = s + n; s < end;) {
        const char *mark = memmem(s, (size_t)(end - s), DOCUMENT_END, sizeof DOCUMENT_END - 1);
        buf text = { 0 };
        bool is_clean = clean_text(&text, s, (size_t)((mark ? mark : end) - s));
        cut_the_end(&text);
        drop_reason reason = is_clean ? check_story(&text) : DROP_BROKEN;
        if (reason == N_DROPS)
            docs_put(out, text.data, text.len);
        else
            out->n_dropped[reason]++;
        out->failed |= text.failed;
        buf_free(&text);
        s = mark ? mark + sizeof DOCUMENT_END - 1 : end;
    }
}

void stories_read_raw(docs *out, const char *s, size_t n)
{
    for (const char *end = s + n, *next; s < end; s = next) {
        const char *mark = memmem(s, (size_t)(end - s), DOCUMENT_END, sizeof DOCUMENT_END - 1);
        const char *last = mark ? mark : end;
        next = mark ? mark + sizeof DOCUMENT_END - 1 : end;
        while (s < last && *s == '\n') s++;
        while (s < last && last[-1] == '\n') last--;
        if (last > s) docs_put(out, s, (size_t)(last - s));
    }
}

/* ---- words -------------------------------------------------------------------------------- */

/* The next word of *t, letters only; empty at the end. *t goes on after it. */
static text_view take_word(text_view *t)
{
    while (t->n > 0 && !is_letter(*t->s)) t->s++, t->n--;
    text_view word = { t->s, 0 };
    while (t->n > 0 && is_letter(*t->s)) t->s++, t->n--, word.n++;
    return word;
}

/* ---- other names -------------------------------------------------------------------------- */

enum { MAX_NAMES = 8 }; /* people of one story */

typedef struct {
    sex whose;
    int from, to; /* places in names_of */
} renaming;

static bool is_taken(const renaming *r, int n, sex whose, int i)
{
    for (int k = 0; k < n; k++)
        if (r[k].whose == whose && (r[k].from == i || r[k].to == i)) return true;
    return false;
}

/* A name of the same sex that nobody in the story has or gets: there are more than 2 MAX_NAMES. */
static int other_name(const renaming *r, int n, sex whose, uint64_t draw)
{
    int n_names = (int)names_count(whose), i = (int)(draw % (uint64_t)n_names);
    while (is_taken(r, n, whose, i)) i = (i + 1) % n_names;
    return i;
}

/* The people of a story and their new names; their number. */
static int find_people(text_view t, renaming r[MAX_NAMES], uint64_t seed, uint64_t i_story)
{
    int n = 0;
    for (text_view w = take_word(&t); w.n > 0 && n < MAX_NAMES; w = take_word(&t)) {
        sex whose;
        int at = name_find(w.s, w.n, &whose);
        bool is_known = at < 0;
        for (int k = 0; k < n; k++) is_known |= r[k].whose == whose && r[k].from == at;
        if (!is_known) r[n++] = (renaming){ whose, at, -1 };
    }
    for (int k = 0; k < n; k++)
        r[k].to = other_name(r, n, r[k].whose, rng_at(seed, i_story, (uint64_t)k));
    return n;
}

static void put_renamed(buf *out, text_view t, const renaming *r, int n)
{
    const char *at = t.s, *end = t.s + t.n;
    for (text_view w = take_word(&t); w.n > 0; w = take_word(&t)) {
        sex whose = GIRLS;
        int name = name_find(w.s, w.n, &whose);
        buf_put(out, at, (size_t)(w.s - at));
        at = w.s + w.n;
        for (int k = 0; k < n; k++)
            if (name >= 0 && r[k].whose == whose && r[k].from == name) {
                buf_puts(out, names_of[whose][r[k].to]);
                w.n = 0;
            }
        buf_put(out, w.s, w.n);
    }
    buf_put(out, at, (size_t)(end - at));
}

void stories_rename(docs *out, const docs *stories, bool keeps_all, uint64_t seed)
{
    for (size_t i = 0; i < stories->n; i++) {
        renaming r[MAX_NAMES];
        int n = find_people(docs_at(stories, i), r, seed, i);
        if (n == 0 && !keeps_all) continue;
        buf text = { 0 };
        put_renamed(&text, docs_at(stories, i), r, n);
        out->failed |= text.failed;
        if (!text.failed) docs_put(out, text.data, text.len);
        buf_free(&text);
    }
}
