/* Attention over many chunks of the KV cache, which is filled with random keys and values. */
#include "base/mem.h"
#include "engine/exec.h"
#include "test.h"
#include <string.h>

enum { LONG_CTX = 4500 }; /* more chunks than wait at a time when heads are cut */

/* Half floats of magnitude 2^-3 to 2. */
static void fill_cache(kv_cache *kv)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < kv->data_bytes / 2; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint16_t h = (uint16_t)((x & 0x83ff) | (12 + (x >> 32) % 4) << 10);
        memcpy(kv->data + 2 * i, &h, sizeof h);
    }
}

/* What the layers make of one token after n_before others. */
static void one_token(const model *m, int n_before, int n_threads, float *x)
{
    lory_err err;
    kv_cache kv;
    exec e;
    kv_shape shape = { m->hp.n_layer, m->hp.n_kv_head, m->hp.head_dim, LONG_CTX, 1, QT_F16, 0 };
    exec_params par = { .n_batch = 1, .n_out = 1, .n_threads = n_threads };
    lory_token id = 3;
    REQUIRE(kv_open(&kv, &shape, &err) && exec_open(&e, m, &kv, &par, &err), "%s", err.text);
    fill_cache(&kv);
    CHECK(kv_reserve(&kv, 0, n_before + 1, &err) == 0);
    CHECK(exec_body(&e, &(exec_batch){ 1, &id, &n_before, &(int){ 0 }, { 0 } }, &err));
    CHECK(e.is_cut == (n_before >= 511 && m->hp.n_kv_head % n_threads != 0));
    memcpy(x, e.slot[X], (size_t)m->hp.n_embd * sizeof *x);
    exec_close(&e);
    kv_close(&kv);
}

TEST(heads_cut_among_threads_give_the_same_bits)
{
    static const char *const models[] = {
        "golden/llama-mha/model-f32.gguf",   "golden/llama-gqa-tied/model-bf16.gguf",
        "golden/gpt-oss/model-mxfp4.gguf",   "golden/bloom/model-bf16.gguf",
        "golden/deepseek-v2/model-bf16.gguf", "golden/gemma2/model-q4_0.gguf",
    };
    static const int depths[] = { 510, 511, 4160, LONG_CTX - 1 };
    lory_err err;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        model m;
        float want[1024], got[1024];
        REQUIRE(model_open(&m, test_vector(models[i]), NULL, &err), "%s", err.text);
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
            one_token(&m, depths[d], 1, want);
            for (int n_threads = 2; n_threads <= 4; n_threads++) {
                one_token(&m, depths[d], n_threads, got);
                CHECK_SAME(got, want, (size_t)m.hp.n_embd * sizeof *got, "%s, depth %d, %d threads",
                           models[i], depths[d], n_threads);
            }
        }
        model_close(&m);
    }
}
