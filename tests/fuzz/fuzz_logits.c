/* fuzz_logits.c - any bytes as a file of saved logits: refused in one line that names it, or rows
 * that can be compared with each other. */
#include "base/bytes.h"
#include "cli/logits_file.h"
#include "cli/score.h"
#include "fuzz_files.h"

enum { MAX_VOCAB = 1 << 14 }; /* more than an input has */

/* What the bytes say they are: a run must agree, or nothing else is looked at. */
static logits_shape shape_of(const uint8_t *data, size_t n)
{
    uint8_t h[40] = { 0 };
    memcpy(h, data, n < sizeof h ? n : sizeof h);
    return (logits_shape){ .n_vocab = bytes_u32(h + 12),
                           .n_rows = bytes_u64(h + 16),
                           .window = bytes_u32(h + 24),
                           .all_tokens = bytes_u32(h + 28),
                           .ids_hash = bytes_u64(h + 32) };
}

static void compare_rows(const file_map *f, const logits_shape *shape)
{
    static float p[MAX_VOCAB], q[MAX_VOCAB];
    double p_sum, q_sum;
    lory_err err = { 0 };
    int n = (int)shape->n_vocab;
    for (uint64_t i = 0; n > 0 && i < shape->n_rows; i++) {
        MUST(n <= MAX_VOCAB);
        logits_file_get(f, i, n, p);
        logits_file_get(f, i / 2, n, q);
        if (score_log_sum(p, n, &p_sum, &err) && score_log_sum(q, n, &q_sum, &err))
            MUST(score_divergence(p, p_sum, q, q_sum, n) >= 0);
        else
            MUST(fuzz_is_line(&err));
    }
}

int fuzz_logits(const uint8_t *data, size_t n)
{
    file_map map;
    lory_err err = { 0 };
    logits_shape shape = shape_of(data, n);
    fuzz_file f = fuzz_file_open(data, n);
    if (logits_file_open(&map, f.path, &shape, &err)) {
        compare_rows(&map, &shape);
        file_map_close(&map);
    } else {
        MUST(fuzz_names(&err, f.path));
    }
    close(f.fd);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_logits)
#endif
