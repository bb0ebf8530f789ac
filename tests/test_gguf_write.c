/* test_gguf_write.c - the GGUF writer: what it writes is what the reader reads. */
#include "base/buf.h"
#include "base/mem.h"
#include "gguf/gguf_write.h"
#include "test.h"

static gguf_str str(const char *s)
{
    return (gguf_str){ s, strlen(s) };
}

static void put_keys(gguf_writer *w)
{
    const gguf_str words[] = { { "a", 1 }, { "", 0 }, { "\xff\0z", 3 } };
    gguf_put_str(w, "general.architecture", "llama");
    gguf_put_bytes(w, "bytes", words[2]);
    gguf_put_u32(w, "u32", 7);
    gguf_put_f32(w, "f32", 0.5f);
    gguf_put_bool(w, "yes", true);
    gguf_put_i32s(w, "i32s", (const int32_t[]){ -1, 2 }, 2);
    gguf_put_f32s(w, "f32s", (const float[]){ 0.25f, -2 }, 2);
    gguf_put_strs(w, "strs", words, 3);
}

static bool write_file(const char *path, lory_err *err)
{
    gguf_writer w;
    float x[6] = { 1, 2, 3, 4, 5, 6 };
    char block[18] = "eighteen bytes...";
    if (!gguf_create(&w, path, err)) return false;
    put_keys(&w);
    gguf_add_tensor(&w, str("x"), QT_F32, 2, (const int64_t[]){ 3, 2 });
    gguf_add_tensor(&w, str("q"), QT_Q4_0, 1, (const int64_t[]){ 32 });
    bool ok = gguf_begin_data(&w, err) && gguf_write_data(&w, x, 10, err)
              && gguf_write_data(&w, (char *)x + 10, 14, err) && gguf_write_data(&w, block, 18, err)
              && gguf_commit(&w, err);
    if (!ok) gguf_abandon(&w);
    return ok;
}

TEST(gguf_writer_round_trip)
{
    gguf g;
    lory_err err;
    uint64_t u = 0;
    float f = 0;
    bool yes = false;
    gguf_str s = { 0 };
    const gguf_kv *kv;
    const char *path = test_temp("a.gguf");
    REQUIRE(write_file(path, &err), "%s", err.text);
    REQUIRE(gguf_open(&g, path, &err), "%s", err.text);
    CHECK(g.version == 3 && g.n_kv == 8 && g.n_tensors == 2 && g.map.size % 32 == 0);
    CHECK(gguf_get_uint(&g, "u32", 9, &u, &err) && u == 7);
    CHECK(gguf_get_f32(&g, "f32", &f, &err) && f == 0.5f);
    CHECK(gguf_get_bool(&g, "yes", &yes, &err) && yes);
    CHECK(gguf_get_str(&g, "bytes", &s, &err) && s.n == 3 && memcmp(s.s, "\xff\0z", 3) == 0);
    CHECK(gguf_get_array(&g, "i32s", GGUF_I32, &kv, &err) && kv && gguf_int_at(kv, 0) == -1);
    CHECK(gguf_get_array(&g, "f32s", GGUF_F32, &kv, &err) && kv && gguf_float_at(kv, 1) == -2);
    CHECK(gguf_get_array(&g, "strs", GGUF_STR, &kv, &err) && kv && kv->n == 3);
    CHECK_SAME(gguf_find_tensor(&g, "x")->data, ((const float[]){ 1, 2, 3, 4, 5, 6 }), 24, "x");
    CHECK_SAME(gguf_find_tensor(&g, "q")->data, "eighteen bytes...", 18, "q");
    gguf_close(&g);
}

TEST(gguf_writer_copies_keys_as_they_stand)
{
    gguf g, copy;
    gguf_writer w;
    lory_err err;
    const char *path = test_temp("a.gguf"), *path2 = test_temp("b.gguf");
    REQUIRE(write_file(path, &err) && gguf_open(&g, path, &err), "%s", err.text);
    REQUIRE(gguf_create(&w, path2, &err), "%s", err.text);
    for (size_t i = 0; i < g.n_kv; i++) gguf_put_kv(&w, &g.kv[i]);
    REQUIRE(gguf_begin_data(&w, &err) && gguf_commit(&w, &err), "%s", err.text);
    REQUIRE(gguf_open(&copy, path2, &err), "%s", err.text);
    CHECK(copy.n_tensors == 0);
    for (size_t i = 0; i < g.n_kv; i++) {
        const gguf_kv *a = &g.kv[i], *b = &copy.kv[i];
        REQUIRE(a->n_bytes == b->n_bytes && a->type == b->type && a->elem == b->elem
                && a->n == b->n);
        CHECK_SAME(b->data, a->data, a->n_bytes, "key %zu", i);
    }
    gguf_close(&g);
    gguf_close(&copy);
}

TEST(gguf_writer_wants_all_announced_data_and_no_more)
{
    gguf_writer w;
    lory_err err;
    float x[3] = { 0 };
    const char *path = test_temp("a.gguf");
    REQUIRE(gguf_create(&w, path, &err));
    gguf_add_tensor(&w, str("x"), QT_F32, 1, (const int64_t[]){ 2 });
    REQUIRE(gguf_begin_data(&w, &err), "%s", err.text);
    CHECK(!gguf_write_data(&w, x, 12, &err) && err.code == LORY_E_ARGUMENT);
    CHECK(gguf_write_data(&w, x, 4, &err));
    CHECK(!gguf_commit(&w, &err) && strstr(err.text, "the data of tensor 1 of 1 is missing"), "%s",
          err.text);
    CHECK(!file_exists(path));
}

TEST(gguf_writer_refuses_impossible_shapes)
{
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, test_temp("a.gguf"), &err));
    gguf_add_tensor(&w, str("q"), QT_Q4_0, 1, (const int64_t[]){ 33 });
    gguf_add_tensor(&w, str("z"), QT_F32, 1, (const int64_t[]){ 0 });
    CHECK(!gguf_begin_data(&w, &err) && err.code == LORY_E_ARGUMENT);
    CHECK(strstr(err.text,
                 "tensor 'q' of type q4_0 can't have this shape (rows of 33, blocks of 32)"),
          "%s", err.text);
    gguf_abandon(&w);
    REQUIRE(gguf_create(&w, test_temp("a.gguf"), &err));
    gguf_add_tensor(&w, str("h"), QT_F32, 3, (const int64_t[]){ 1ll << 40, 1ll << 20, 1ll << 20 });
    CHECK(!gguf_begin_data(&w, &err) && err.code == LORY_E_ARGUMENT);
    gguf_abandon(&w);
}

TEST(gguf_writer_abandoned_leaves_nothing)
{
    gguf_writer w;
    lory_err err;
    size_t live = mem_live_bytes();
    const char *path = test_temp("a.gguf");
    REQUIRE(gguf_create(&w, path, &err));
    put_keys(&w);
    gguf_abandon(&w);
    gguf_abandon(&w);
    CHECK(mem_live_bytes() == live && !file_exists(path));
    CHECK(!gguf_create(&w, "/nowhere/at/all.gguf", &err) && err.code == LORY_E_IO);
}

TEST(gguf_writer_survives_every_failing_allocation)
{
    lory_err err;
    const char *path = test_temp("a.gguf");
    size_t live = mem_live_bytes();
    bool written = false;
    for (uint64_t n = 1; !written && n < 100; n++) {
        mem_fail_at(n);
        written = write_file(path, &err);
        mem_fail_at(0);
        CHECK(mem_live_bytes() == live);
        if (!written) CHECK(err.code == LORY_E_MEMORY && !file_exists(path), "%s", err.text);
    }
    CHECK(written);
}

TEST(gguf_writer_takes_no_memory_for_data)
{
    enum { N_ROWS = 64 };
    static float row[16384];
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, test_temp("a.gguf"), &err));
    gguf_add_tensor(&w, str("x"), QT_F32, 2, (const int64_t[]){ 16384, N_ROWS });
    bool ok = gguf_begin_data(&w, &err);
    size_t live = mem_live_bytes();
    for (int i = 0; ok && i < N_ROWS; i++) ok = gguf_write_data(&w, row, sizeof row, &err);
    CHECK(ok && mem_live_bytes() == live);
    CHECK(gguf_commit(&w, &err), "%s", err.text);
}
