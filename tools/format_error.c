/* format_error.c - what a format costs: for tools/format_table.sh.
 *
 *     build/release/tools/format_error FROM.gguf TO.gguf
 *
 * Prints "BITS ERROR" of TO's matrices: bits per weight, and the root mean square of their
 * differences from FROM's as a share of that of FROM's weights. */
#include "base/mem.h"
#include "gguf/gguf.h"
#include "quant/qtype.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    double bits, n, error, size; /* sums */
} sums;

static bool add_tensor(sums *s, const gguf_tensor *a, const gguf_tensor *b)
{
    int64_t k = b->ne[0], n_rows = b->ne[1] * b->ne[2] * b->ne[3];
    size_t a_bytes = qtype_row_bytes(a->type, k), b_bytes = qtype_row_bytes(b->type, k);
    float *x = mem_new((size_t)k, sizeof *x), *y = mem_new((size_t)k, sizeof *y);
    for (int64_t i = 0; x && y && i < n_rows; i++) {
        qtypes[a->type].to_f32(k, (const char *)a->data + (size_t)i * a_bytes, x);
        qtypes[b->type].to_f32(k, (const char *)b->data + (size_t)i * b_bytes, y);
        for (int64_t j = 0; j < k; j++) {
            s->error += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
            s->size += (double)x[j] * (double)x[j];
        }
    }
    s->bits += 8.0 * (double)b->n_bytes;
    s->n += (double)k * (double)n_rows;
    bool ok = x && y;
    mem_free(x);
    mem_free(y);
    return ok;
}

static int compare(const gguf *from, const gguf *to)
{
    sums s = { 0 };
    for (size_t i = 0; i < to->n_tensors; i++) {
        const gguf_tensor *b = &to->tensors[i], *a = NULL;
        for (size_t k = 0; k < from->n_tensors && !a; k++)
            if (from->tensors[k].name.n == b->name.n
                && memcmp(from->tensors[k].name.s, b->name.s, b->name.n) == 0)
                a = &from->tensors[k];
        if (b->n_dims < 2) continue;
        if (!a || memcmp(a->ne, b->ne, sizeof a->ne) != 0 || !add_tensor(&s, a, b)) {
            fprintf(stderr, "format_error: %.*s can't be compared\n", (int)b->name.n, b->name.s);
            return 1;
        }
    }
    printf("%.2f %.6g\n", s.bits / s.n, sqrt(s.error / s.size));
    return 0;
}

int main(int argc, char **argv)
{
    gguf from = { 0 }, to = { 0 };
    lory_err err = { 0 };
    if (argc != 3) {
        fprintf(stderr, "usage: format_error FROM.gguf TO.gguf\n");
        return 2;
    }
    bool ok = gguf_open(&from, argv[1], &err) && gguf_open(&to, argv[2], &err);
    if (!ok) fprintf(stderr, "format_error: %s\n", err.text);
    int status = ok ? compare(&from, &to) : 1;
    gguf_close(&from);
    gguf_close(&to);
    return status;
}
