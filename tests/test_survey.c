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
    bool is_false;      /* the key's value is `false` */
    const char *last;   /* the name of output.weight, or NULL */
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
    snprintf(key, sizeof key, "%s.%s", c->arch ? c->arch : "llama", c->key ? c->key : "");
    if (c->key && c->is_false) gguf_put_bool(&w, key, false);
    else if (c->key) gguf_put_f32(&w, key, c->value);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        bool is_named = c->tensor && gguf_str_is(t->name, "blk.0.attn_q.weight");
        bool is_last = c->last && gguf_str_is(t->name, "output.weight");
        const char *new_name = is_named ? c->tensor : c->last;
        gguf_str name =
            is_named || is_last ? (gguf_str){ new_name, strlen(new_name) } : t->name;
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
        { { .arch = NULL }, "", "" },
        { { .key = "ssm.inner_size", .value = 4 },
          ": llama.ssm.inner_size is not known of this architecture (only the value 0, which "
          "changes nothing)", NULL },
        { { .key = "ssm.inner_size", .value = 0 }, "", "5 llama.ssm.inner_size\n" },
        { { .key = "attention.causal", .value = 0 },
          ": llama.attention.causal is not known of this architecture (only the value 1, which "
          "changes nothing)", NULL },
        { { .key = "attention.causal", .value = 1 }, "", "5 llama.attention.causal\n" },
        { { .key = "router_logit_softcapping", .value = 30 },
          ": llama.router_logit_softcapping is not known of this architecture (only the value 0, "
          "which changes nothing)", NULL },
        { { .key = "colour", .value = 3 }, "", "5 llama.colour\n" },
        { { .key = "rope.scaling.finetuned", .value = 1 }, "", "" },
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

/* Opening such a file is for its tokenizer; what a session says. */
TEST(why_a_foreign_family_does_not_run_is_said)
{
    static const char encoder[] = ": it is an encoder, which reads text and does not continue it";
    const struct {
        change c;
        const char *why;
    } cases[] = {
        { { .arch = "mamba9", .key = "ssm.state_size" }, ": it has recurrent layers" },
        { { .arch = "rwkv9", .key = "wkv.head_size" }, ": it has recurrent layers" },
        { { .arch = "lfm4", .key = "shortconv.l_cache" }, ": it has recurrent layers" },
        { { .arch = "bert", .key = "attention.causal", .is_false = true }, encoder },
        { { .arch = "nomic-bert", .key = "pooling_type" }, encoder },
        { { .arch = "t5encoder", .tensor = "enc.blk.0.attn_q.weight" }, encoder },
        { { .arch = "t5", .tensor = "enc.blk.0.attn_q.weight", .last = "dec.output_norm.weight" },
          ": it has an encoder beside its decoder" },
        { { .arch = "wavtokenizer-dec", .key = "posnet.block_count" },
          ": it makes sound, not text" },
        { { .arch = "llada", .key = "attention.causal", .is_false = true },
          ": it fills in the blanks of a text (diffusion), and does not continue it" },
        { { .arch = "eagle3", .key = "attention.head_count" },
          ": it drafts for another model, whose layers it needs" },
        { { .arch = "clip", .tensor = "v.blk.0.attn_q.weight" },
          ": it is the part of a model that sees or hears, beside the file that has its text" },
        { { .arch = "unheard-of", .key = "attention.head_count" }, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[400], want[400];
        buf found = { 0 };
        lory_err err = { 0 };
        look(&cases[i].c, &found, error, sizeof error);
        CHECK_STR(error, "");
        snprintf(want, sizeof want, "0 %s%s\n", cases[i].c.arch, cases[i].why);
        CHECK(found.data && strncmp(found.data, want, strlen(want)) == 0, "%s", found.data);
        lory_model *m = lory_model_open(test_temp("changed.gguf"), &err);
        CHECK(m && !lory_session_new(m, NULL, &err));
        snprintf(want, sizeof want, "%s: architecture \"%s\" is not one that lory runs%s",
                 test_temp("changed.gguf"), cases[i].c.arch, cases[i].why);
        CHECK_STR(err.text, want);
        lory_model_close(m);
        buf_free(&found);
    }
}

TEST(all_that_is_unknown_in_a_file_is_reported)
{
    char error[400];
    buf found = { 0 };
    look(&(change){ .arch = "mamba9", .tensor = "blk.0.mix_in.weight" }, &found, error,
         sizeof error);
    CHECK_STR(found.data, "0 mamba9\n2 blk.0.mix_in.weight\n");
    CHECK_STR(error, "");
    look(&(change){ .tensor = "blk.0.attn_sub_norm.weight" }, &found, error, sizeof error);
    CHECK_STR(found.data, "2 blk.0.attn_sub_norm.weight\n");
    CHECK_STR(error, ": tensor blk.0.attn_sub_norm.weight is not part of this architecture as lory "
                     "knows it");
    buf_free(&found);
}

TEST(an_adapter_lacks_nothing)
{
    gguf_writer w;
    buf found = { 0 };
    lory_err err = { 0 };
    int64_t ne[] = { 4, 2 };
    const char *path = test_temp("adapter.gguf"), name[] = "blk.0.attn_q.weight.lora_a";
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    gguf_put_str(&w, "general.architecture", "llama");
    gguf_put_str(&w, "general.type", "adapter");
    gguf_add_tensor(&w, (gguf_str){ name, strlen(name) }, QT_F32, 2, ne);
    bool ok = gguf_begin_data(&w, &err) && gguf_write_data(&w, (float[8]){ 0 }, 32, &err)
              && gguf_commit(&w, &err);
    CHECK(ok && lory_survey(path, collect, &found, &err), "%s", err.text);
    CHECK(found.len == 0, "%s", found.data);
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
