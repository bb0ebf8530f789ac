/* test_survey.c - what lory says of files that it does not know, and keys that nothing reads. */
#include "gguf/gguf_write.h"
#include "model/model.h"
#include "test.h"
#include <stdio.h>

typedef struct {
    const char *arch; /* instead of the file's, or NULL */
    const char *key;  /* one more behind the architecture's name, or NULL */
    float value;
    const char *tensor; /* the name of blk.0.attn_q.weight, or NULL: its own */
} change;

static void copy_changed(const gguf *g, const change *c, const char *path)
{
    gguf_writer w;
    lory_err err;
    char key[128];
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_kv; i++)
        if (c->arch && gguf_str_is(g->kv[i].key, "general.architecture"))
            gguf_put_str(&w, "general.architecture", c->arch);
        else
            gguf_put_kv(&w, &g->kv[i]);
    snprintf(key, sizeof key, "llama.%s", c->key ? c->key : "");
    if (c->key) gguf_put_f32(&w, key, c->value);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        bool is_named = c->tensor && gguf_str_is(t->name, "blk.0.attn_q.weight");
        gguf_str name = is_named ? (gguf_str){ c->tensor, strlen(c->tensor) } : t->name;
        gguf_add_tensor(&w, name, t->type, t->n_dims, t->ne);
    }
    CHECK(gguf_begin_data(&w, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_tensors; i++)
        CHECK(gguf_write_data(&w, g->tensors[i].data, g->tensors[i].n_bytes, &err), "%s", err.text);
    CHECK(gguf_commit(&w, &err), "%s", err.text);
}

static void collect(void *user, const lory_finding *f)
{
    buf_printf(user, "%d %.*s%s%s\n", (int)f->kind, (int)f->n_name, f->name, *f->text ? ": " : "",
               f->text);
}

/* The findings in one text, and what opening says behind the file's name. */
static void look(const change *c, buf *found, char *error, size_t cap)
{
    gguf g;
    lory_err err = { 0 };
    const char *path = test_temp("changed.gguf");
    REQUIRE(gguf_open(&g, test_vector("golden/llama-mha/model-f32.gguf"), &err), "%s", err.text);
    copy_changed(&g, c, path);
    gguf_close(&g);
    buf_clear(found);
    CHECK(lory_survey(path, collect, found, &err), "%s", err.text);
    err.text[0] = '\0';
    lory_model *m = lory_model_open(path, &err);
    snprintf(error, cap, "%s", m ? "" : err.text + strlen(path));
    lory_model_close(m);
}

TEST(keys_that_would_change_the_maths_are_refused_unless_they_are_neutral)
{
    static const struct {
        change c;
        const char *error, *found;
    } cases[] = {
        { { NULL, NULL, 0, NULL }, "", "" },
        { { NULL, "ssm.inner_size", 4, NULL },
          ": llama.ssm.inner_size is not known of this architecture (only the value 0, which "
          "changes nothing)", NULL },
        { { NULL, "ssm.inner_size", 0, NULL }, "", "5 llama.ssm.inner_size\n" },
        { { NULL, "attention.causal", 0, NULL },
          ": llama.attention.causal is not known of this architecture (only the value 1, which "
          "changes nothing)", NULL },
        { { NULL, "attention.causal", 1, NULL }, "", "5 llama.attention.causal\n" },
        { { NULL, "router_logit_softcapping", 30, NULL },
          ": llama.router_logit_softcapping is not known of this architecture (only the value 0, "
          "which changes nothing)", NULL },
        { { NULL, "colour", 3, NULL }, "", "5 llama.colour\n" },
        { { NULL, "rope.scaling.finetuned", 1, NULL }, "", "" },
    };
    char error[400];
    buf found = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        look(&cases[i].c, &found, error, sizeof error);
        CHECK_STR(error, cases[i].error);
        if (cases[i].found) CHECK_STR(found.data ? found.data : "", cases[i].found);
        else CHECK(strstr(found.data, "4 ") == found.data, "case %zu: %s", i, found.data);
    }
    buf_free(&found);
}

TEST(all_that_is_unknown_in_a_file_is_reported)
{
    char error[400];
    buf found = { 0 };
    look(&(change){ .arch = "mamba9", .tensor = "blk.0.ssm_in.weight" }, &found, error,
         sizeof error);
    CHECK_STR(found.data, "0 mamba9\n2 blk.0.ssm_in.weight\n");
    CHECK_STR(error, "");
    look(&(change){ .tensor = "blk.0.attn_sub_norm.weight" }, &found, error, sizeof error);
    CHECK_STR(found.data, "2 blk.0.attn_sub_norm.weight\n");
    CHECK_STR(error, ": tensor blk.0.attn_sub_norm.weight is not part of this architecture as lory "
                     "knows it");
    buf_free(&found);
}

TEST(a_type_of_tensor_that_is_unknown_is_reported_and_all_else_still_read)
{
    lory_err err;
    buf file = { 0 }, found = { 0 };
    gguf g;
    const char *path = test_temp("type.gguf"), name[] = "blk.0.attn_q.weight";
    REQUIRE(file_read(test_vector("golden/llama-mha/model-f32.gguf"), 1 << 24, &file, &err), "%s",
            err.text);
    size_t at = 0;
    while (at + sizeof name < file.len && memcmp(file.data + at, name, sizeof name - 1) != 0) at++;
    at += sizeof name - 1 + 4 + 2 * 8; /* the number of dimensions, two of them */
    file.data[at] = (char)200;
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(file.data, 1, file.len, f) == file.len && fclose(f) == 0);
    CHECK(!gguf_open(&g, path, &err) && strstr(err.text, "number 200"), "%s", err.text);
    CHECK(lory_survey(path, collect, &found, &err), "%s", err.text);
    CHECK_STR(found.data, "1 blk.0.attn_q.weight: number 200\n");
    CHECK(gguf_open_any(&g, path, &err), "%s", err.text);
    const gguf_tensor *t = gguf_find_tensor(&g, name);
    CHECK(t && t->type == QT_COUNT && t->type_id == 200 && t->n_bytes == 0);
    gguf_close(&g);
    buf_free(&file);
    buf_free(&found);
}
