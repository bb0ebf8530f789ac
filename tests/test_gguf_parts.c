/* test_gguf_parts.c - models in several files: the same bytes as from one, and whatever can be
 * wrong with the parts in one line. */
#include "base/mem.h"
#include "gguf/convert.h"
#include "gguf/gguf.h"
#include "gguf/gguf_write.h"
#include "gguf/retype.h"
#include "lory.h"
#include "test.h"
#include <string.h>
#include <unistd.h>

enum { N_PARTS = 3 };

/* What may be wrong with the last part, or with all of them. */
typedef enum { RIGHT, MISSING, OF_TWO, TWICE, COUNTED_WRONG, ONLY_KEYS_FIRST } fault;

static const char *whole_model(void)
{
    return test_vector("golden/llama-gqa-tied/model-bf16.gguf");
}

static const char *part_path(int i)
{
    char name[64];
    snprintf(name, sizeof name, "model-%05d-of-%05d.gguf", i + 1, N_PARTS);
    return test_temp(name);
}

/* Tensors [a, b) of g, with the keys of the whole in the first part. */
static void write_part(const gguf *g, int i, size_t a, size_t b, fault f)
{
    gguf_writer w;
    lory_err err;
    bool is_last = i == N_PARTS - 1;
    REQUIRE(gguf_create(&w, part_path(i), &err), "%s", err.text);
    for (size_t k = 0; i == 0 && k < g->n_kv; k++)
        if (!gguf_str_is(g->kv[k].key, "general.alignment")) gguf_put_kv(&w, &g->kv[k]);
    gguf_put_u32(&w, "split.no", (uint32_t)i);
    gguf_put_u32(&w, "split.count", is_last && f == OF_TWO ? 2 : N_PARTS);
    gguf_put_u32(&w, "split.tensors.count",
                 (uint32_t)g->n_tensors + (f == COUNTED_WRONG || f == TWICE));
    for (size_t t = a; t < b; t++)
        gguf_add_tensor(&w, g->tensors[t].name, g->tensors[t].type, g->tensors[t].n_dims,
                        g->tensors[t].ne);
    bool ok = gguf_begin_data(&w, &err);
    for (size_t t = a; ok && t < b; t++)
        ok = gguf_write_data(&w, g->tensors[t].data, g->tensors[t].n_bytes, &err);
    CHECK(ok && gguf_commit(&w, &err), "%s", err.text);
}

/* Splits the model; returns the path of the first part. */
static const char *split_model(fault f)
{
    gguf g;
    lory_err err;
    if (!gguf_open(&g, whole_model(), &err)) {
        CHECK(false, "%s", err.text);
        return "";
    }
    size_t n = g.n_tensors, at[N_PARTS + 1] = { 0, n / 3, 2 * n / 3, n };
    if (f == ONLY_KEYS_FIRST) at[1] = 0;
    for (int i = 0; i < N_PARTS; i++)
        write_part(&g, i, at[i] - (f == TWICE && i == N_PARTS - 1), at[i + 1], f);
    if (f == MISSING) unlink(part_path(N_PARTS - 1));
    gguf_close(&g);
    return part_path(0);
}

static lory_model *open_model(const char *path, bool no_mmap)
{
    lory_err err;
    lory_model *m =
        lory_model_open_with(path, &(lory_model_params){ .no_mmap = no_mmap }, &err);
    CHECK(m, "%s", err.text);
    return m;
}

/* Of both models the logits after a few ids. */
static void check_same_logits(const char *a, const char *b, bool no_mmap)
{
    static const lory_token ids[] = { 1, 7, 30, 12, 9 };
    const char *path[2] = { a, b };
    lory_model *m[2];
    lory_session *s[2];
    lory_err err;
    for (int i = 0; i < 2; i++) {
        m[i] = open_model(path[i], no_mmap);
        REQUIRE(m[i]);
        s[i] = lory_session_new(m[i], NULL, &err);
        REQUIRE(s[i] && lory_session_eval(s[i], ids, 5, &err), "%s", err.text);
    }
    lory_model_info info;
    lory_model_get_info(m[0], &info);
    CHECK_SAME(lory_session_logits(s[1]), lory_session_logits(s[0]),
               (size_t)info.n_vocab * sizeof(float), "%s", b);
    for (int i = 0; i < 2; i++) lory_session_free(s[i]), lory_model_close(m[i]);
}

TEST(gguf_parts_run_as_one_model)
{
    check_same_logits(whole_model(), split_model(RIGHT), false);
    check_same_logits(whole_model(), split_model(RIGHT), true);
    check_same_logits(whole_model(), split_model(ONLY_KEYS_FIRST), false);
}

TEST(gguf_parts_become_one_file)
{
    gguf a, b;
    lory_err err;
    const char *out = test_temp("out.gguf");
    REQUIRE(convert_file(split_model(RIGHT),
                         &(convert_params){ .out = out, .type = RETYPE_KEEP }, &err),
            "%s", err.text);
    REQUIRE(gguf_open(&a, whole_model(), &err) && gguf_open(&b, out, &err), "%s", err.text);
    CHECK(a.n_tensors == b.n_tensors && a.tensor_bytes == b.tensor_bytes);
    CHECK(!gguf_find(&b, "split.count") && !gguf_find(&b, "split.no"));
    for (size_t i = 0; i < a.n_tensors && i < b.n_tensors; i++) {
        CHECK(a.tensors[i].n_bytes == b.tensors[i].n_bytes);
        CHECK_SAME(b.tensors[i].data, a.tensors[i].data, a.tensors[i].n_bytes, "%zu", i);
    }
    gguf_close(&a), gguf_close(&b);
}

TEST(gguf_parts_are_known_by_the_name_of_the_first)
{
    const char *first = split_model(RIGHT), *link = test_temp("link.gguf");
    REQUIRE(symlink(part_path(2), link) == 0);
    CHECK(gguf_is_part(first, part_path(1)) && gguf_is_part(first, part_path(2)));
    CHECK(gguf_is_part(first, link));
    CHECK(!gguf_is_part(first, first) && !gguf_is_part(first, whole_model()));
    CHECK(!gguf_is_part(part_path(1), part_path(2)) && !gguf_is_part(link, part_path(1)));
    CHECK(!gguf_is_part("-00001-of-00000.gguf", first) && !gguf_is_part("", first));
}

TEST(gguf_parts_have_a_fingerprint_of_all_of_them)
{
    uint64_t print[2];
    const char *path = split_model(RIGHT);
    for (int i = 0; i < 2; i++) {
        lory_model *m = open_model(path, false);
        REQUIRE(m);
        print[i] = lory_model_fingerprint(m);
        lory_model_close(m);
        FILE *f = fopen(part_path(N_PARTS - 1), "r+b"); /* the last byte of the last tensor */
        REQUIRE(f);
        int c = fseek(f, -1, SEEK_END) == 0 ? getc(f) : 0;
        CHECK(fseek(f, -1, SEEK_END) == 0 && putc(c ^ 1, f) != EOF);
        fclose(f);
    }
    CHECK(print[0] != print[1]);
}

/* A model of which not all can be had opens for its vocabulary, but does not run. */
TEST(gguf_parts_that_do_not_belong_together_are_refused)
{
    static const struct {
        fault f;
        const char *text;
    } rows[] = {
        { MISSING, "model-00003-of-00003.gguf: " },
        { OF_TWO, "model-00003-of-00003.gguf: is part 3 of 2 (expected part 3 of 3)" },
        { TWICE, "is in an earlier part too" },
        { COUNTED_WRONG, "(key 'split.tensors.count' says " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lory_err err;
        size_t live = mem_live_bytes();
        lory_model *m = open_model(split_model(rows[i].f), false);
        REQUIRE(m);
        CHECK(!lory_session_new(m, NULL, &err) && strstr(err.text, rows[i].text), "%s", err.text);
        lory_model_close(m);
        CHECK(mem_live_bytes() == live);
    }
}

TEST(gguf_parts_are_found_by_the_first_and_its_name)
{
    gguf g;
    lory_err err;
    const char *first = split_model(RIGHT), *other = test_temp("renamed.gguf");
    REQUIRE(rename(first, other) == 0 && gguf_open(&g, other, &err), "%s", err.text);
    CHECK(!gguf_join(&g, &err) && g.n_parts == 0);
    CHECK(strstr(err.text, "but not named ...-00001-of-00003.gguf, so"), "%s", err.text);
    gguf_close(&g);
    REQUIRE(gguf_open(&g, part_path(1), &err), "%s", err.text);
    CHECK(!gguf_join(&g, &err) && err.code == LORY_E_UNSUPPORTED);
    CHECK(strstr(err.text, "is part 2 of a model split into 3 files (expected the first"), "%s",
          err.text);
    gguf_close(&g);
}
