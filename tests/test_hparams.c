/* test_hparams.c - the numbers of a model as files have them: what is wrong with one is a line that
 * names the key, what was found and what was expected. The file is the small model's with a few
 * keys replaced. */
#include "family_check.h"
#include "gguf/gguf_write.h"
#include "lory.h"
#include "test.h"
#include <stdio.h>
#include <string.h>

enum { MAX_REPLACED = 4 };

/* A key after "llama."; its value as the writer takes it. */
typedef struct {
    const char *key;
    enum { ABSENT, INT, FLOAT, TEXT, INTS } kind;
    double number;
    const char *text;
    int32_t ints[3];
} replaced;

static void put(gguf_writer *w, const replaced *r)
{
    char key[80];
    snprintf(key, sizeof key, "llama.%s", r->key);
    if (r->kind == INT) gguf_put_u32(w, key, (uint32_t)r->number);
    if (r->kind == FLOAT) gguf_put_f32(w, key, (float)r->number);
    if (r->kind == TEXT) gguf_put_str(w, key, r->text);
    if (r->kind == INTS) gguf_put_i32s(w, key, r->ints, 3);
}

static bool is_replaced(gguf_str key, const replaced *r)
{
    for (int i = 0; i < MAX_REPLACED && r[i].key; i++)
        if (key.n > 6 && gguf_str_is((gguf_str){ key.s + 6, key.n - 6 }, r[i].key)) return true;
    return false;
}

/* Opens the model with these keys; NULL with *err. */
static lory_model *open_with(const replaced *r, lory_err *err)
{
    const char *path = test_temp("replaced.gguf");
    gguf g;
    gguf_writer w;
    CHECK(gguf_open(&g, "models/tales-tiny-q8_0.gguf", err), "%s", err->text);
    CHECK(gguf_create(&w, path, err), "%s", err->text);
    for (size_t i = 0; i < g.n_kv; i++)
        if (!is_replaced(g.kv[i].key, r)) gguf_put_kv(&w, &g.kv[i]);
    for (int i = 0; i < MAX_REPLACED && r[i].key; i++) put(&w, &r[i]);
    family_put_tensors(&w, &g);
    gguf_close(&g);
    return lory_model_open(path, err);
}

TEST(a_number_that_cannot_be_is_a_line_that_names_it)
{
    static const struct {
        replaced r[MAX_REPLACED];
        const char *line;
    } bad[] = {
        { { { "block_count", ABSENT, 0, 0, { 0 } } },
          "llama.block_count is missing (expected 1 to 1024)" },
        { { { "block_count", INT, 0, 0, { 0 } } },
          "llama.block_count is 0 (expected 1 to 1024)" },
        { { { "context_length", INTS, 0, 0, { 5, 6, 7 } } },
          "llama.context_length differs from layer to layer" },
        { { { "context_length", INTS, 0, 0, { -1, -1, -1 } } },
          "llama.context_length is -1 (expected 1 to 1073741824)" },
        { { { "block_count", INT, 2, 0, { 0 } },
            { "attention.head_count", INTS, 0, 0, { 2, 2, 1 } } },
          "llama.attention.head_count has 3 values for 2 layers" },
        { { { "attention.head_count", INTS, 0, 0, { 2, 5000, 2 } } },
          "llama.attention.head_count is 5000 in layer 1 (expected 0 to 4096)" },
        { { { "attention.head_count_kv", INTS, 0, 0, { 1, 3, 1 } } },
          "2 attention heads are not a multiple of 3 key/value heads" },
        { { { "attention.clamp_kqv", FLOAT, 8, 0, { 0 } } },
          "llama.attention.clamp_kqv is not known" },
        { { { "rope.dimension_count", INT, 33, 0, { 0 } } },
          "llama.rope.dimension_count is 33 (expected an even number up to 32)" },
        { { { "rope.dimension_count", INT, 34, 0, { 0 } } },
          "llama.rope.dimension_count is 34 (expected an even number up to 32)" },
        { { { "attention.value_length", INT, 33, 0, { 0 } } },
          "values of length 33 beside keys of length 32 are not known" },
        { { { "attention.layer_norm_rms_epsilon", ABSENT, 0, 0, { 0 } } },
          "llama.attention.layer_norm_rms_epsilon is missing" },
        { { { "attention.layer_norm_rms_epsilon", FLOAT, 0, 0, { 0 } } },
          "llama.attention.layer_norm_rms_epsilon is 0 (expected a positive number)" },
        { { { "rope.scaling.type", TEXT, 0, "dynamic", { 0 } } },
          "rope scaling \"dynamic\" is not known (expected none, linear, yarn or longrope)" },
        { { { "expert_count", INT, 4, 0, { 0 } }, { "expert_used_count", INT, 5, 0, { 0 } } },
          "key 'llama.expert_used_count' is out of range (found 5, expected 0 to 4)" },
        { { { "expert_count", INT, 4, 0, { 0 } },
            { "expert_used_count", INT, 2, 0, { 0 } },
            { "expert_feed_forward_length", INT, 1 << 22, 0, { 0 } },
            { "expert_shared_count", INT, 3, 0, { 0 } } },
          "4 experts of length 4194304 are too many" },
        { { { "expert_count", INT, 4, 0, { 0 } },
            { "expert_used_count", INT, 2, 0, { 0 } },
            { "expert_group_count", INT, 4, 0, { 0 } },
            { "expert_group_used_count", INT, 1, 0, { 0 } } },
          "2 of 4 experts can't be chosen from 1 of 4 groups" },
        { { { "expert_count", INT, 4, 0, { 0 } },
            { "expert_used_count", INT, 2, 0, { 0 } },
            { "expert_gating_func", INT, 9, 0, { 0 } } },
          "llama.expert_gating_func is 9 (expected 1 to 3)" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lory_err err = { 0 };
        lory_model *m = open_with(bad[i].r, &err);
        CHECK(!m && strstr(err.text, "replaced.gguf: "), "%s", bad[i].line);
        const char *line = strstr(err.text, "replaced.gguf: ");
        CHECK_STR(line ? line + 15 : err.text, bad[i].line);
        lory_model_close(m);
    }
}

/* As files had it before llama.rope.scaling.type. */
TEST(rotation_scaled_by_the_old_key_is_scaled_the_same)
{
    static const replaced plain[MAX_REPLACED] = { { 0 } },
                          old[MAX_REPLACED] = { { "rope.scale_linear", FLOAT, 4, 0, { 0 } } },
                          new[MAX_REPLACED] = { { "rope.scaling.type", TEXT, 0, "linear", { 0 } },
                                                { "rope.scaling.factor", FLOAT, 4, 0, { 0 } } };
    static const replaced *const kinds[] = { plain, old, new };
    static const lory_token ids[] = { 1, 300, 310, 320 };
    static float logits[3][512];
    for (int i = 0; i < 3; i++) {
        lory_err err;
        lory_session_params p = { .n_ctx = 64, .n_threads = 1 };
        lory_model *m = open_with(kinds[i], &err);
        REQUIRE(m, "%s", err.text);
        lory_session *s = lory_session_new(m, &p, &err);
        REQUIRE(s && lory_session_eval(s, ids, 4, &err), "%s", err.text);
        memcpy(logits[i], lory_session_logits(s), sizeof logits[i]);
        lory_session_free(s);
        lory_model_close(m);
    }
    CHECK_SAME(logits[1], logits[2], sizeof logits[1], "the old key and the new");
    CHECK(memcmp(logits[0], logits[1], sizeof logits[0]) != 0, "scaled");
}
