/* make_corpus.c - makes what our models are trained on from the texts in the corpus folder, and
 * what they are measured on: the last 2 % of each text by bytes, set apart before anything else is
 * done.
 *
 *     make_corpus [--seed N] [--renamed N] CORPUS_DIR OUT_DIR
 *
 * The parts are in tools/corpus/; what each file holds is in `help` below. The same texts,
 * options and seed give the same bytes. */
#include "base/err.h"
#include "corpus/corpus.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: make_corpus [--seed N] [--renamed N] CORPUS_DIR OUT_DIR\n\n"
    "Writes to OUT_DIR, documents of .txt files separated by lines <|endoftext|>, each line of\n"
    ".jsonl files a conversation {\"messages\": [{\"role\": ..., \"content\": ...}, ...]}:\n\n"
    "  tinystories.{train,held}.txt      cleaned; ASCII, no story (nearly) twice\n"
    "  tinystories-raw.train.txt         not cleaned, so as the source has them\n"
    "  tinystories-renamed-K.train.txt   those with other first names, K = 1 .. N\n"
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

static int usage(const char *what)
{
    fprintf(stderr, "make_corpus: %s\n%s", what, help);
    return 2;
}

static bool set_option(corpus_job *j, const char *name, const char *value)
{
    char *end = NULL;
    if (strcmp(name, "--seed") == 0)
        j->seed = strtoull(value, &end, 10);
    else if (strcmp(name, "--renamed") == 0)
        j->n_renamed = strtol(value, &end, 10);
    return end && *value && !*end && j->n_renamed >= 0 && j->n_renamed <= CORPUS_MAX_RENAMED;
}

int main(int argc, char **argv)
{
    lory_err err;
    corpus_job j = { .seed = 1, .n_renamed = 2, .log = stderr };
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(help, stdout), 0;
        if (i + 1 == argc || !set_option(&j, argv[i], argv[i + 1])) return usage(argv[i]);
    }
    if (argc - i != 2) return usage("two folders are needed");
    j.from = argv[i];
    j.to = argv[i + 1];
    if (corpus_make(&j, &err)) return 0;
    fprintf(stderr, "make_corpus: %s\n", err.text);
    return 1;
}
