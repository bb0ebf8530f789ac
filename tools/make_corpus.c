/* make_corpus.c - makes what our models are trained on from the texts in the corpus folder, and
 * what they are measured on: the last HELD_PERCENT of each text by bytes, set apart before
 * anything else is done.
 *
 *     make_corpus [--seed N] [--renamed N] CORPUS_DIR OUT_DIR
 *
 * The parts are in tools/corpus/; what each file holds is in the table `help`. The same texts,
 * options and seed give the same bytes. */
#include "base/err.h"
#include "base/file.h"
#include "base/rng.h"
#include "corpus/books.h"
#include "corpus/chats.h"
#include "corpus/stories.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HELD_PERCENT = 2,
    SEEN_PERCENT = 50,      /* of a text that may have been there before */
    TALK_SEEN_PERCENT = 80, /* talks are much alike */
    PLAIN_PERCENT = 93,     /* of the words of plain text are in stories */
    N_SMALLTALK = 400,
    MAX_RENAMED = 16,
};

static const char help[] =
    "usage: make_corpus [--seed N] [--renamed N] CORPUS_DIR OUT_DIR\n\n"
    "Writes to OUT_DIR, documents of .txt files separated by lines <|endoftext|>, each line of\n"
    ".jsonl files a conversation {\"messages\": [{\"role\": ..., \"content\": ...}, ...]}:\n\n"
    "  tinystories.{train,held}.txt      cleaned; ASCII, no story (nearly) twice\n"
    "  tinystories-renamed-K.train.txt   the same with other first names, K = 1 .. N\n"
    "  books.{train,held}.txt            books in pieces of a page; no titles, notes, verse\n"
    "  books-plain.train.txt             those of them whose words are mostly those of stories\n"
    "  persona.{train,held}.jsonl        User 1 talks with User 2, who is the assistant\n"
    "  persona-swapped.train.jsonl       the other way round\n"
    "  soda.{train,held}.jsonl           short talks\n"
    "  requests.{train,held}.jsonl       \"Tell me a story about ...\" and the story\n"
    "  requests-renamed-K.train.jsonl    the same with other names, asked otherwise\n"
    "  smalltalk.train.jsonl             who lory is, from a table of questions and answers\n\n"
    "held: the last 2 % of each source by bytes, set apart first.\n\n"
    "  --seed N     of every draw (default: 1)\n"
    "  --renamed N  variants with other names, 0 to 16 (default: 2)\n";

typedef struct {
    const char *from, *to; /* folders */
    uint64_t seed;
    long n_renamed;
    lory_err *err;
} job;

static bool open_source(const job *j, const char *name, file_map *m)
{
    buf path = { 0 };
    bool ok = buf_printf(&path, "%s/%s", j->from, name)
                  ? file_map_open(m, path.data, j->err)
                  : err_set(j->err, LORY_E_MEMORY, "%s: out of memory", name);
    buf_free(&path);
    return ok;
}

static text_view text_of(const file_map *m)
{
    return (text_view){ (const char *)m->data, m->size };
}

static bool write_docs(const job *j, const docs *d, const char *name)
{
    size_t n = strlen(name);
    bool is_text = n > 4 && strcmp(name + n - 4, ".txt") == 0;
    return docs_write(d, is_text, j->to, name, j->err);
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
static bool read_text(const job *j, const char *name, const char *mark, read_fn read, docs parts[2])
{
    file_map m;
    if (!open_source(j, name, &m)) return false;
    text_view t = text_of(&m);
    size_t cut = held_start(t, mark);
    read(&parts[0], t.s, cut);
    read(&parts[1], t.s + cut, t.n - cut);
    docs_dedupe(&parts[1], NULL, SEEN_PERCENT);
    docs_dedupe(&parts[0], &parts[1], SEEN_PERCENT);
    file_map_close(&m);
    return true;
}

static bool make_books(const job *j, const docs *stories)
{
    docs parts[2] = { 0 };
    bool ok = read_text(j, "gutenberg-children.txt", "\n", books_read, parts)
              && write_docs(j, &parts[0], "books.train.txt")
              && write_docs(j, &parts[1], "books.held.txt");
    docs_keep_plain(&parts[0], stories, PLAIN_PERCENT);
    ok = ok && write_docs(j, &parts[0], "books-plain.train.txt");
    docs_free(&parts[0]);
    docs_free(&parts[1]);
    return ok;
}

static bool make_requests(const job *j, const docs *stories, uint64_t seed, const char *name)
{
    docs d = { 0 };
    stories_request(&d, stories, seed);
    bool ok = write_docs(j, &d, name);
    docs_free(&d);
    return ok;
}

/* Variant i: other names, and other wordings of the requests. */
static bool make_variant(const job *j, const docs *stories, long i)
{
    uint64_t seed = rng_at(j->seed, (uint64_t)i, 1);
    char name[64];
    docs renamed = { 0 }, all = { 0 };
    stories_rename(&renamed, stories, false, seed);
    stories_rename(&all, stories, true, seed);
    snprintf(name, sizeof name, "tinystories-renamed-%ld.train.txt", i);
    bool ok = write_docs(j, &renamed, name);
    snprintf(name, sizeof name, "requests-renamed-%ld.train.jsonl", i);
    ok = ok && make_requests(j, &all, seed, name);
    docs_free(&renamed);
    docs_free(&all);
    return ok;
}

static bool make_stories(const job *j, docs parts[2])
{
    bool ok = read_text(j, "tinystories.txt", DOCUMENT_END "\n", stories_read, parts)
              && write_docs(j, &parts[0], "tinystories.train.txt")
              && write_docs(j, &parts[1], "tinystories.held.txt")
              && make_requests(j, &parts[0], j->seed, "requests.train.jsonl")
              && make_requests(j, &parts[1], j->seed, "requests.held.jsonl");
    for (long i = 1; ok && i <= j->n_renamed; i++) ok = make_variant(j, &parts[0], i);
    return ok;
}

static bool make_texts(const job *j)
{
    docs stories[2] = { 0 };
    bool ok = make_stories(j, stories) && make_books(j, &stories[0]);
    docs_free(&stories[0]);
    docs_free(&stories[1]);
    return ok;
}

/* ---- conversations ------------------------------------------------------------------------ */

enum { TRAIN, HELD, SWAPPED, N_TALKS };

static bool read_personas(const job *j, const char *name, docs talks[N_TALKS])
{
    file_map m;
    if (!open_source(j, name, &m)) return false;
    text_view t = text_of(&m);
    size_t cut = t.n - t.n / 100 * HELD_PERCENT;
    chats_read_personas(&talks[TRAIN], t, (chat_range){ 0, cut }, false);
    chats_read_personas(&talks[HELD], t, (chat_range){ cut, t.n }, false);
    chats_read_personas(&talks[SWAPPED], t, (chat_range){ 0, cut }, true);
    file_map_close(&m);
    return true;
}

static bool make_personas(const job *j)
{
    docs talks[N_TALKS] = { 0 };
    bool ok = read_personas(j, "Synthetic-Persona-Chat_valid.csv", talks)
              && read_personas(j, "Synthetic-Persona-Chat_test.csv", talks);
    docs_dedupe(&talks[TRAIN], &talks[HELD], TALK_SEEN_PERCENT);
    docs_dedupe(&talks[SWAPPED], &talks[HELD], TALK_SEEN_PERCENT);
    ok = ok && write_docs(j, &talks[TRAIN], "persona.train.jsonl")
         && write_docs(j, &talks[HELD], "persona.held.jsonl")
         && write_docs(j, &talks[SWAPPED], "persona-swapped.train.jsonl");
    for (int i = 0; i < N_TALKS; i++) docs_free(&talks[i]);
    return ok;
}

static bool make_soda(const job *j)
{
    docs talks[2] = { 0 };
    file_map m;
    if (!open_source(j, "soda_subset_chat_val.txt", &m)) return false;
    text_view t = text_of(&m);
    size_t cut = t.n - t.n / 100 * HELD_PERCENT;
    chats_read_soda(&talks[TRAIN], t, (chat_range){ 0, cut });
    chats_read_soda(&talks[HELD], t, (chat_range){ cut, t.n });
    file_map_close(&m);
    docs_dedupe(&talks[TRAIN], &talks[HELD], TALK_SEEN_PERCENT);
    bool ok = write_docs(j, &talks[TRAIN], "soda.train.jsonl")
              && write_docs(j, &talks[HELD], "soda.held.jsonl");
    docs_free(&talks[TRAIN]);
    docs_free(&talks[HELD]);
    return ok;
}

static bool make_smalltalk(const job *j)
{
    docs d = { 0 };
    chats_make_smalltalk(&d, N_SMALLTALK, j->seed);
    bool ok = write_docs(j, &d, "smalltalk.train.jsonl");
    docs_free(&d);
    return ok;
}

/* ---- command line ------------------------------------------------------------------------- */

static int usage(const char *what)
{
    fprintf(stderr, "make_corpus: %s\n%s", what, help);
    return 2;
}

static bool set_option(job *j, const char *name, const char *value)
{
    char *end = NULL;
    if (strcmp(name, "--seed") == 0)
        j->seed = strtoull(value, &end, 10);
    else if (strcmp(name, "--renamed") == 0)
        j->n_renamed = strtol(value, &end, 10);
    return end && *value && !*end && j->n_renamed >= 0 && j->n_renamed <= MAX_RENAMED;
}

int main(int argc, char **argv)
{
    lory_err err;
    job j = { .seed = 1, .n_renamed = 2, .err = &err };
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(help, stdout), 0;
        if (i + 1 == argc || !set_option(&j, argv[i], argv[i + 1])) return usage(argv[i]);
    }
    if (argc - i != 2) return usage("two folders are needed");
    j.from = argv[i];
    j.to = argv[i + 1];
    if (make_texts(&j) && make_personas(&j) && make_soda(&j) && make_smalltalk(&j)) return 0;
    fprintf(stderr, "make_corpus: %s\n", err.text);
    return 1;
}
