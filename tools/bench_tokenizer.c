/* bench_tokenizer.c - how fast each vocabulary turns text into ids on one thread: for the
 * developers of tokenizers.
 *
 *     build/release/tools/bench_tokenizer TEXT|ROWS.jsonl ... VOCAB.gguf ...
 *
 * Prints MB/s (10^6 bytes) for every vocabulary (a row) and text (a column). A .jsonl file is the
 * "text" of its lines, one after the other, so that test vectors serve as text in mixed scripts.
 * A call encodes the whole text, set-up and word cache included. The best of some rounds counts,
 * in processor time: what other programs take from this thread does not. */
#include "base/file.h"
#include "base/mem.h"
#include "base/timer.h"
#include "text/json.h"
#include "token/tokenizer.h"
#include <stdio.h>
#include <string.h>

enum { MAX_TEXTS = 8, MAX_ROUNDS = 9, MAX_FILE = 1 << 28 };
#define MIN_SECONDS 0.25 /* of all rounds together */

typedef struct {
    const char *path;
    buf text;
} bench_text;

static bool fail(const lory_err *err)
{
    fprintf(stderr, "bench_tokenizer: %s\n", err->text);
    return false;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), n_end = strlen(end);
    return n >= n_end && strcmp(s + n - n_end, end) == 0;
}

/* The texts of the rows that are encoded without special tokens; the others repeat them. */
static bool put_row(buf *out, const char *line, size_t n, const char *path, lory_err *err)
{
    json_doc d;
    const char *text;
    size_t n_text;
    bool adds = false, parses = false;
    if (!json_read(&d, line, n, path, err)) return false;
    json_get_bool(json_get(d.root, "add_special"), &adds);
    json_get_bool(json_get(d.root, "parse_special"), &parses);
    if (!adds && !parses && json_get_str(json_get(d.root, "text"), &text, &n_text))
        buf_put(out, text, n_text), buf_putc(out, '\n');
    json_close(&d);
    return true;
}

static bool read_rows(bench_text *t, lory_err *err)
{
    buf file = { 0 };
    bool ok = file_read(t->path, MAX_FILE, &file, err);
    for (char *line = file.data, *end; ok && line < file.data + file.len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(file.data + file.len - line));
        if (!end) end = file.data + file.len;
        ok = end == line || put_row(&t->text, line, (size_t)(end - line), t->path, err);
    }
    buf_free(&file);
    return ok;
}

static bool read_text(bench_text *t, lory_err *err)
{
    return ends_with(t->path, ".jsonl") ? read_rows(t, err)
                                        : file_read(t->path, MAX_FILE, &t->text, err);
}

/* Seconds of the fastest round, or 0 when it failed. */
static double fastest(const tokenizer *t, const buf *text, lory_err *err)
{
    double best = 0, total = 0;
    for (int i = 0; i < MAX_ROUNDS && (i < 3 || total < MIN_SECONDS); i++) {
        lory_tokens ids = { 0 };
        tokenizer_text x = { text->data, text->len, 0, NULL, 0 };
        double start = timer_thread();
        if (!tokenizer_encode(t, &x, &ids, err)) return 0;
        double seconds = timer_thread() - start;
        mem_free(ids.id);
        total += seconds;
        if (best == 0 || seconds < best) best = seconds;
    }
    return best;
}

static bool bench(const char *path, const bench_text *texts, int n_texts)
{
    gguf g;
    tokenizer t;
    lory_err err = { 0 };
    const char *name = strrchr(path, '/');
    if (!gguf_open(&g, path, &err)) return fail(&err);
    bool ok = tokenizer_init(&t, &g, &err);
    if (ok) printf("%-28s", name ? name + 1 : path);
    for (int i = 0; ok && i < n_texts; i++) {
        double seconds = fastest(&t, &texts[i].text, &err);
        ok = seconds > 0;
        if (ok) printf(" %12.1f", (double)texts[i].text.len / seconds * 1e-6);
    }
    if (ok) printf("\n");
    fflush(stdout);
    tokenizer_free(&t);
    gguf_close(&g);
    return ok || fail(&err);
}

int main(int argc, char **argv)
{
    static bench_text texts[MAX_TEXTS];
    int n_texts = 0, status = 0;
    lory_err err = { 0 };
    for (int i = 1; i < argc && n_texts < MAX_TEXTS; i++) {
        if (ends_with(argv[i], ".gguf")) continue;
        texts[n_texts].path = argv[i];
        if (!read_text(&texts[n_texts++], &err)) return fail(&err), 1;
    }
    if (n_texts == 0 || n_texts == argc - 1) {
        fprintf(stderr, "usage: bench_tokenizer TEXT|ROWS.jsonl ... VOCAB.gguf ...\n");
        return 2;
    }
    printf("%-28s", "MB/s");
    for (int i = 0; i < n_texts; i++) {
        const char *name = strrchr(texts[i].path, '/');
        printf(" %12.12s", name ? name + 1 : texts[i].path);
    }
    printf("\n");
    for (int i = 1; i < argc; i++)
        if (ends_with(argv[i], ".gguf") && !bench(argv[i], texts, n_texts)) status = 1;
    for (int i = 0; i < n_texts; i++) buf_free(&texts[i].text);
    return status;
}
