/* fuzz_safetensors.c - any bytes as a safetensors file: refused in one line that names it, or all
 * that it then points to can be read and lies apart. */
#include "fuzz.h"
#include "gguf/safetensors.h"
#include <string.h>

static void check_open(const safetensors *s, const uint8_t *data, size_t n)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < s->n_tensors; i++) {
        const st_tensor *t = &s->tensors[i];
        int64_t n_elems = 1;
        for (int k = 0; k < t->n_dims; k++) n_elems *= t->shape[k];
        MUST(t->name.n > 0 && n_elems == t->n_elems);
        MUST(t->n_bytes == (size_t)n_elems * st_dtype_bytes(t->dtype));
        MUST(t->data >= at && t->data + t->n_bytes <= data + n);
        at = t->data + t->n_bytes;
        for (int64_t k = 0; k < n_elems; k += 16) {
            float f[16];
            st_to_f32(t, k, n_elems - k < 16 ? n_elems - k : 16, f);
        }
    }
}

int fuzz_safetensors(const uint8_t *data, size_t n)
{
    safetensors s;
    lory_err err = { 0 };
    if (safetensors_open_bytes(&s, data, n, "fuzz.safetensors", &err))
        check_open(&s, data, n);
    else
        MUST(fuzz_names(&err, "fuzz.safetensors: "));
    safetensors_close(&s);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_safetensors)
#endif
