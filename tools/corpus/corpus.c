/* corpus.c - see corpus.h. */
#include "corpus.h"
#include "base/err.h"
#include "base/file.h"
#include "base/rng.h"
#include "books.h"
#include "chats.h"
#include "stories.h"
#include <string.h>

enum {
    HELD_PERCENT = 2,
    SEEN_PERCENT = 50,      /* of a text that may have been there before */
    TALK_SEEN_PERCENT = 80, /* talks are much alike */
    PLAIN_PERCENT = 93,     /* of the words of plain text are in stories */
    N_SMALLTALK = 400,
};

static bool open_source(const corpus_job *j, const char *name, file_map *m, lory_err *err)
{
    buf path = { 0 };
    bool ok = buf_printf(&path, "%s/%s", j->from, name)
                  ? file_map_open(m, path.data, err)
                  : err_set(err, LORY_E_MEMORY, "%s: out of memory", name);
    buf_free(&path);
    return ok;
}

static text_view text_of(const file_map *m)
{
    return (text_view){ (const char *)m->data, m->size };
}

static bool write_docs(const corpus_job *j, const docs *d, const char *name, lory_err *err)
{
    size_t n = strlen(name);
    bool is_text = n > 4 && strcmp(name + n - 4, ".txt") == 0;
    if (!docs_write(d, is_text, j->to, name, err)) return false;
    if (j->log) docs_report(d, name, j->log);
    return true;
}

/* The first byte after `mark` in the last HELD_PERCENT of the text, or its end. */
static size_t held_start(text_view t, const char *mark)
{
    size_t at = t.n - t.n / 100 * HELD_PERCENT, n = strlen(mark);
    const char *p = memmem(t.s + at, t.n - at, mark, n);
    return p ? (size_t)(p - t.s) + n : t.n;
}

/* ---- texts -------------------------------------------------------------------------------- */

typedef void (*read_fn)(docs *out, const char *s, size_t n);

/* Both parts of a text, cut after `mark`; nothing that is held back stays in training. */
static bool read_text(const corpus_job *j, const char *name, const char *mark, read_fn read,
                      docs parts[2], lory_err *err)
{
    file_map m;
    if (!open_source(j, name, &m, err)) return false;
    text_view t = text_of(&m);
    size_t cut = held_start(t, mark);
    read(&parts[0], t.s, cut);
    read(&parts[1], t.s + cut, t.n - cut);
    docs_dedupe(&parts[1], NULL, SEEN_PERCENT);
    docs_dedupe(&parts[0], &parts[1], SEEN_PERCENT);
    file_map_close(&m);
    return true;
}

static bool make_books(const corpus_job *j, const docs *stories, lory_err *err)
{
    docs parts[2] = { 0 };
    bool ok = read_text(j, "gutenberg-children.txt", "\n", books_read, parts, err)
              && write_docs(j, &parts[0], "books.train.txt", err)
              && write_docs(j, &parts[1], "books.held.txt", err);
    docs_keep_plain(&parts[0], stories, PLAIN_PERCENT);
    ok = ok && write_docs(j, &parts[0], "books-plain.train.txt", err);
    docs_free(&parts[0]);
    docs_free(&parts[1]);
    return ok;
}

static bool make_requests(const corpus_job *j, const docs *stories, uint64_t seed, const char *name,
                          lory_err *err)
{
    docs d = { 0 };
    stories_request(&d, stories, seed);
    bool ok = write_docs(j, &d, name, err);
    docs_free(&d);
    return ok;
}

/* Variant i: other names, and other wordings of the requests. */
static bool make_variant(const corpus_job *j, const docs *raw, const docs *stories, long i,
                         lory_err *err)
{
    uint64_t seed = rng_at(j->seed, (uint64_t)i, 1);
    char name[64];
    docs renamed = { 0 }, all = { 0 };
    stories_rename(&renamed, raw, false, seed);
    stories_rename(&all, stories, true, seed);
    snprintf(name, sizeof name, "tinystories-renamed-%ld.train.txt", i);
    bool ok = write_docs(j, &renamed, name, err);
    snprintf(name, sizeof name, "requests-renamed-%ld.train.jsonl", i);
    ok = ok && make_requests(j, &all, seed, name, err);
    docs_free(&renamed);
    docs_free(&all);
    return ok;
}

static bool make_stories(const corpus_job *j, docs parts[2], lory_err *err)
{
    docs raw[2] = { 0 };
    bool ok = read_text(j, "tinystories.txt", DOCUMENT_END "\n", stories_read, parts, err)
              && read_text(j, "tinystories.txt", DOCUMENT_END "\n", stories_read_raw, raw, err)
              && write_docs(j, &raw[0], "tinystories-raw.train.txt", err)
              && write_docs(j, &parts[0], "tinystories.train.txt", err)
              && write_docs(j, &parts[1], "tinystories.held.txt", err)
              && make_requests(j, &parts[0], j->seed, "requests.train.jsonl", err)
              && make_requests(j, &parts[1], j->seed, "requests.held.jsonl", err);
    for (long i = 1; ok && i <= j->n_renamed; i++) ok = make_variant(j, &raw[0], &parts[0], i, err);
    docs_free(&raw[0]);
    docs_free(&raw[1]);
    return ok;
}

static bool make_texts(const corpus_job *j, lory_err *err)
{
    docs stories[2] = { 0 };
    bool ok = make_stories(j, stories, err) && make_books(j, &stories[0], err);
    docs_free(&stories[0]);
    docs_free(&stories[1]);
    return ok;
}

/* ---- conversations ------------------------------------------------------------------------ */

enum { TRAIN, HELD, SWAPPED, N_TALKS };

static bool read_personas(const corpus_job *j, const char *name, docs talks[N_TALKS], lory_err *err)
{
    file_map m;
    if (!open_source(j, name, &m, err)) return false;
    text_view t = text_of(&m);
    size_t cut = t.n - t.n / 100 * HELD_PERCENT;
    chats_read_personas(&talks[TRAIN], t, (chat_range){ 0, cut }, false);
    chats_read_personas(&talks[HELD], t, (chat_range){ cut, t.n }, false);
    chats_read_personas(&talks[SWAPPED], t, (chat_range){ 0, cut }, true);
    file_map_close(&m);
    return true;
}

static bool make_personas(const corpus_job *j, lory_err *err)
{
    docs talks[N_TALKS] = { 0 };
    bool ok = read_personas(j, "Synthetic-Persona-Chat_valid.csv", talks, err)
              && read_personas(j, "Synthetic-Persona-Chat_test.csv", talks, err);
    docs_dedupe(&talks[TRAIN], &talks[HELD], TALK_SEEN_PERCENT);
    docs_dedupe(&talks[SWAPPED], &talks[HELD], TALK_SEEN_PERCENT);
    ok = ok && write_docs(j, &talks[TRAIN], "persona.train.jsonl", err)
         && write_docs(j, &talks[HELD], "persona.held.jsonl", err)
         && write_docs(j, &talks[SWAPPED], "persona-swapped.train.jsonl", err);
    for (int i = 0; i < N_TALKS; i++) docs_free(&talks[i]);
    return ok;
}

static bool make_soda(const corpus_job *j, lory_err *err)
{
    docs talks[2] = { 0 };
    file_map m;
    if (!open_source(j, "soda_subset_chat_val.txt", &m, err)) return false;
    text_view t = text_of(&m);
    size_t cut = t.n - t.n / 100 * HELD_PERCENT;
    chats_read_soda(&talks[TRAIN], t, (chat_range){ 0, cut });
    chats_read_soda(&talks[HELD], t, (chat_range){ cut, t.n });
    file_map_close(&m);
    docs_dedupe(&talks[TRAIN], &talks[HELD], TALK_SEEN_PERCENT);
    bool ok = write_docs(j, &talks[TRAIN], "soda.train.jsonl", err)
              && write_docs(j, &talks[HELD], "soda.held.jsonl", err);
    docs_free(&talks[TRAIN]);
    docs_free(&talks[HELD]);
    return ok;
}

static bool make_smalltalk(const corpus_job *j, lory_err *err)
{
    docs d = { 0 };
    chats_make_smalltalk(&d, N_SMALLTALK, j->seed);
    bool ok = write_docs(j, &d, "smalltalk.train.jsonl", err);
    docs_free(&d);
    return ok;
}

bool corpus_make(const corpus_job *j, lory_err *err)
{
    return make_texts(j, err) && make_personas(j, err) && make_soda(j, err)
           && make_smalltalk(j, err);
}
