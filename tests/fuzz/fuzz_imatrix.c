/* fuzz_imatrix.c - any bytes as an importance matrix, in either format: refused in one line that
 * names it, or values that quantising can use, under names that are found. */
#include "fuzz_files.h"
#include "gguf/imatrix.h"
#include <math.h>

static void check_entry(const imatrix *m, const imatrix_entry *e)
{
    lory_err err;
    const float *values;
    gguf_tensor t = { .name = e->name, .ne = { e->n_values, 1, 1, 1 } };
    MUST(imatrix_find(m, &t, &values, &err) && values == e->values);
    t.ne[0]++;
    MUST(!imatrix_find(m, &t, &values, &err) && fuzz_is_line(&err));
    for (int64_t i = 0; i < e->n_values; i++) MUST(e->values[i] > 0 && isfinite(e->values[i]));
}

int fuzz_imatrix(const uint8_t *data, size_t n)
{
    imatrix m;
    lory_err err = { 0 };
    fuzz_file f = fuzz_file_open(data, n);
    if (imatrix_read(&m, f.path, &err)) {
        MUST(m.n > 0);
        for (size_t i = 0; i < m.n; i++) check_entry(&m, &m.entry[i]);
    } else {
        MUST(fuzz_names(&err, f.path) && m.n == 0);
    }
    imatrix_free(&m);
    close(f.fd);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_imatrix)
#endif
