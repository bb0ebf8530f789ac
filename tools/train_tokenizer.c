/* train_tokenizer.c - trains a vocabulary of SentencePiece's BPE kind from text and writes it as a
 * GGUF file without tensors: the keys tokenizer.ggml.*, as LLaMA's files have them, the control
 * tokens of our chats and the template that goes with them.
 *
 *     train_tokenizer --vocab 4096 -o tokenizer.gguf stories.txt chats.jsonl ...
 *
 * The parts are in tools/corpus/: words, bpe, vocab_file. The same text in the same order gives
 * the same file. */
#include "base/err.h"
#include "corpus/vocab_file.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_VOCAB = 512, MAX_VOCAB = 65536 };

typedef struct {
    long n_vocab;
    double coverage;
    const char *out, *running;
} options;

static void report(const options *o, const word_list *w, const bpe *b)
{
    fprintf(stderr,
            "%s: %ld tokens, %zu of them characters; from %" PRIu64 " documents, %" PRIu64
            " bytes, %zu different words; %.3f bytes a piece\n",
            o->out, o->n_vocab, b->n_alphabet, w->n_docs, w->n_bytes, w->text.n,
            (double)w->n_bytes / (double)b->n_pieces);
}

static bool make(const options *o, char *const *texts, lory_err *err)
{
    word_list w = { 0 };
    bpe b = { 0 };
    bool ok = !o->running || words_add_running(&w, o->running, err);
    for (; ok && *texts; texts++) ok = words_add_file(&w, *texts, err);
    ok = ok && bpe_learn(&b, &w, (size_t)o->n_vocab - VOCAB_FILE_EXTRA, o->coverage, err)
         && vocab_file_write(&b, o->out, err);
    if (ok) report(o, &w, &b);
    bpe_free(&b);
    words_free(&w);
    return ok;
}

static int usage(FILE *to, const char *what)
{
    if (what) fprintf(to, "train_tokenizer: %s\n", what);
    fputs("usage: train_tokenizer [--vocab N] [--coverage X] [--running TEXT] -o FILE.gguf TEXT "
          "...\n\n"
          "Trains a SentencePiece-style BPE vocabulary and writes it as GGUF, with the control\n"
          "tokens and the template of our chats. A TEXT is plain text with lines <|endoftext|>\n"
          "between documents or, if its name ends in .jsonl, a conversation a line:\n"
          "{\"messages\": [{\"role\": ..., \"content\": ...}, ...]}. A file named twice counts "
          "twice.\n\n"
          "  --vocab N     tokens, 512 to 65536 (default: 4096)\n"
          "  --coverage X  part of the text whose characters get a token of their own; the rest\n"
          "                is written as bytes (default: 0.9999)\n"
          "  --running TEXT  another text, in which the lines <|endoftext|> are text as well: a\n"
          "                model that is to write it ends where it begins to write one\n"
          "  -o FILE       the file to write\n",
          to);
    return to == stdout ? 0 : 2;
}

static bool set_option(options *o, const char *name, const char *value)
{
    char *end = NULL;
    if (strcmp(name, "-o") == 0) return *(o->out = value) != '\0';
    if (strcmp(name, "--running") == 0) return *(o->running = value) != '\0';
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
    lory_err err;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return usage(stdout, NULL);
        if (i + 1 == argc || !set_option(&o, argv[i], argv[i + 1])) return usage(stderr, argv[i]);
    }
    if (!o.out || i >= argc) return usage(stderr, "-o and a text are needed");
    if (make(&o, argv + i, &err)) return 0;
    fprintf(stderr, "train_tokenizer: %s\n", err.text);
    return 1;
}
