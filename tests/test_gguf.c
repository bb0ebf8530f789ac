/* test_gguf.c - the GGUF reader, on files made byte by byte here. Wrong files by the hundred are
 * in test_badfiles.c. */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "gguf/gguf.h"
#include "test.h"
#include <dirent.h>
#include <time.h>
#include <unistd.h>

/* ---- a file under construction ----------------------------------------------------------- */

static void u32(buf *b, uint32_t v)
{
    unsigned char p[4];
    bytes_put_u32(p, v);
    buf_put(b, p, 4);
}

static void u64(buf *b, uint64_t v)
{
    unsigned char p[8];
    bytes_put_u64(p, v);
    buf_put(b, p, 8);
}

static void f32(buf *b, float v)
{
    uint32_t u;
    memcpy(&u, &v, 4);
    u32(b, u);
}

static void str(buf *b, const char *s)
{
    u64(b, strlen(s));
    buf_puts(b, s);
}

static buf header(uint32_t version, uint64_t n_tensors, uint64_t n_kv)
{
    buf b = { 0 };
    buf_puts(&b, "GGUF");
    u32(&b, version), u64(&b, n_tensors), u64(&b, n_kv);
    return b;
}

static void kv_u32(buf *b, const char *key, uint32_t v)
{
    str(b, key), u32(b, GGUF_U32), u32(b, v);
}

static void info(buf *b, const char *name, uint64_t ne, uint32_t type, uint64_t offset)
{
    str(b, name), u32(b, 1), u64(b, ne), u32(b, type), u64(b, offset);
}

static void pad_to(buf *b, size_t alignment)
{
    while (b->len % alignment) buf_putc(b, 0);
}

/* Opens b's bytes, which stay the caller's; err->text of what went wrong is "" when it opened. */
static bool open_buf(gguf *g, const buf *b, lory_err *err)
{
    err->text[0] = '\0';
    return gguf_open_bytes(g, b->data, b->len, "t.gguf", err);
}

/* b is refused, with that line; b is freed. */
static void refused_(int line, buf *b, const char *want)
{
    gguf g;
    lory_err err;
    size_t live = mem_live_bytes();
    if (open_buf(&g, b, &err)) gguf_close(&g);
    if (strcmp(err.text, want) != 0)
        test_fail(__FILE__, line, "got  \"%s\"\n     want \"%s\"", err.text, want);
    CHECK(mem_live_bytes() == live, "line %d: %zu bytes leaked", line, mem_live_bytes() - live);
    buf_free(b);
}
#define REFUSED(b, want) refused_(__LINE__, &(b), want)

/* ---- whole files ------------------------------------------------------------------------- */

/* Every kind of value and two tensors, the second one first in the data. */
static buf whole_file(uint32_t version)
{
    buf b = header(version, 2, 16);
    str(&b, "u8"), u32(&b, GGUF_U8), buf_putc(&b, (char)200);
    str(&b, "i8"), u32(&b, GGUF_I8), buf_putc(&b, (char)-100);
    str(&b, "u16"), u32(&b, GGUF_U16), buf_put(&b, "\xff\xfe", 2);
    str(&b, "i16"), u32(&b, GGUF_I16), buf_put(&b, "\xff\xff", 2);
    kv_u32(&b, "u32", 4000000000u);
    str(&b, "i32"), u32(&b, GGUF_I32), u32(&b, (uint32_t)-5);
    str(&b, "f32"), u32(&b, GGUF_F32), f32(&b, 1.5f);
    str(&b, "yes"), u32(&b, GGUF_BOOL), buf_putc(&b, 1);
    str(&b, "str"), u32(&b, GGUF_STR), str(&b, "text");
    str(&b, "u64"), u32(&b, GGUF_U64), u64(&b, UINT64_MAX);
    str(&b, "i64"), u32(&b, GGUF_I64), u64(&b, (uint64_t)INT64_MIN);
    str(&b, "f64"), u32(&b, GGUF_F64), u64(&b, 0x3fd0000000000000u); /* 0.25 */
    str(&b, "strs"), u32(&b, GGUF_ARR), u32(&b, GGUF_STR), u64(&b, 3);
    str(&b, "a"), str(&b, ""), str(&b, "ccc");
    str(&b, "u32s"), u32(&b, GGUF_ARR), u32(&b, GGUF_U32), u64(&b, 2), u32(&b, 7), u32(&b, 8);
    str(&b, "none"), u32(&b, GGUF_ARR), u32(&b, GGUF_F32), u64(&b, 0);
    str(&b, "bools"), u32(&b, GGUF_ARR), u32(&b, GGUF_BOOL), u64(&b, 2), buf_put(&b, "\1\0", 2);
    str(&b, "second"), u32(&b, 2), u64(&b, 32), u64(&b, 2), u32(&b, 8), u64(&b, 32); /* q8_0 */
    info(&b, "first", 3, 0, 0);
    pad_to(&b, 32);
    f32(&b, 1), f32(&b, 2), f32(&b, 3);
    pad_to(&b, 32);
    for (int i = 0; i < 68; i++) buf_putc(&b, (char)i);
    return b;
}

TEST(gguf_reads_every_kind_of_value)
{
    for (uint32_t version = 2; version <= 3; version++) {
        gguf g;
        lory_err err;
        buf b = whole_file(version);
        uint64_t u = 0;
        float f = 0;
        bool yes = false;
        gguf_str s = { 0 };
        REQUIRE(open_buf(&g, &b, &err), "%s", err.text);
        CHECK(g.version == version && g.n_kv == 16 && g.alignment == 32);
        CHECK(gguf_get_uint(&g, "u8", 255, &u, &err) && u == 200);
        CHECK(gguf_get_uint(&g, "u16", 65535, &u, &err) && u == 0xfeff);
        CHECK(gguf_get_uint(&g, "u32", UINT32_MAX, &u, &err) && u == 4000000000u);
        CHECK(gguf_get_uint(&g, "u64", UINT64_MAX, &u, &err) && u == UINT64_MAX);
        CHECK(gguf_int_at(gguf_find(&g, "i8"), 0) == -100);
        CHECK(gguf_int_at(gguf_find(&g, "i16"), 0) == -1);
        CHECK(gguf_int_at(gguf_find(&g, "i64"), 0) == INT64_MIN);
        CHECK(gguf_get_f32(&g, "f32", &f, &err) && f == 1.5f);
        CHECK(gguf_get_f32(&g, "f64", &f, &err) && f == 0.25f);
        CHECK(gguf_get_f32(&g, "i32", &f, &err) && f == -5.0f);
        CHECK(gguf_get_bool(&g, "yes", &yes, &err) && yes);
        CHECK(gguf_get_str(&g, "str", &s, &err) && gguf_str_is(s, "text"));
        gguf_close(&g);
        buf_free(&b);
    }
}

TEST(gguf_reads_arrays)
{
    gguf g;
    lory_err err;
    const gguf_kv *kv;
    gguf_str s;
    buf b = whole_file(3);
    REQUIRE(open_buf(&g, &b, &err), "%s", err.text);
    REQUIRE(gguf_get_array(&g, "strs", GGUF_STR, &kv, &err) && kv && kv->n == 3);
    gguf_str_iter it = gguf_strings(kv);
    CHECK(gguf_next(&it, &s) && gguf_str_is(s, "a"));
    CHECK(gguf_next(&it, &s) && gguf_str_is(s, ""));
    CHECK(gguf_next(&it, &s) && gguf_str_is(s, "ccc"));
    CHECK(!gguf_next(&it, &s));
    CHECK(gguf_get_array(&g, "u32s", GGUF_I32, &kv, &err) && kv && gguf_int_at(kv, 1) == 8);
    CHECK(gguf_get_array(&g, "none", GGUF_F32, &kv, &err) && kv && kv->n == 0);
    CHECK(gguf_get_array(&g, "bools", GGUF_BOOL, &kv, &err) && kv && gguf_int_at(kv, 0) == 1);
    CHECK(gguf_get_array(&g, "absent", GGUF_STR, &kv, &err) && kv == NULL);
    CHECK(!gguf_get_array(&g, "strs", GGUF_I32, &kv, &err));
    CHECK_STR(err.text,
              "t.gguf: key 'strs' is of the wrong kind (found array of 3 string, expected "
              "array of int32)");
    gguf_close(&g);
    buf_free(&b);
}

TEST(gguf_finds_tensors_in_any_order_of_data)
{
    gguf g;
    lory_err err;
    buf b = whole_file(3);
    REQUIRE(open_buf(&g, &b, &err), "%s", err.text);
    const gguf_tensor *first = gguf_find_tensor(&g, "first"),
                      *second = gguf_find_tensor(&g, "second");
    REQUIRE(first && second && g.n_tensors == 2);
    CHECK(second == &g.tensors[0] && second->type == QT_Q8_0 && second->n_dims == 2);
    CHECK(second->ne[0] == 32 && second->ne[1] == 2 && second->ne[2] == 1 && second->ne[3] == 1);
    CHECK(second->n_bytes == 68 && ((const char *)second->data)[67] == 67);
    CHECK(first->n_bytes == 12 && bytes_f32((const char *)first->data + 8) == 3.0f);
    CHECK(g.tensor_bytes == 80);
    CHECK(gguf_find_tensor(&g, "third") == NULL);
    gguf_close(&g);
    buf_free(&b);
}

TEST(gguf_getters_leave_defaults_and_name_what_is_wrong)
{
    gguf g;
    lory_err err;
    uint64_t u = 42;
    float f = 0.5f;
    bool yes = true;
    gguf_str s = { "x", 1 };
    buf b = whole_file(3);
    REQUIRE(open_buf(&g, &b, &err), "%s", err.text);
    CHECK(gguf_get_uint(&g, "absent", 1, &u, &err) && u == 42);
    CHECK(gguf_get_f32(&g, "absent", &f, &err) && f == 0.5f);
    CHECK(gguf_get_bool(&g, "absent", &yes, &err) && yes);
    CHECK(gguf_get_str(&g, "absent", &s, &err) && s.n == 1);
    CHECK(!gguf_get_uint(&g, "u8", 100, &u, &err) && u == 42);
    CHECK_STR(err.text, "t.gguf: key 'u8' is out of range (found 200, expected 0 to 100)");
    CHECK(!gguf_get_uint(&g, "i32", 100, &u, &err));
    CHECK_STR(err.text, "t.gguf: key 'i32' is out of range (found -5, expected 0 to 100)");
    CHECK(!gguf_get_uint(&g, "f32", 100, &u, &err));
    CHECK_STR(err.text,
              "t.gguf: key 'f32' is of the wrong kind (found float32, expected an integer)");
    CHECK(!gguf_get_f32(&g, "str", &f, &err) && !gguf_get_bool(&g, "u8", &yes, &err));
    CHECK(!gguf_get_str(&g, "strs", &s, &err));
    gguf_close(&g);
    buf_free(&b);
}

TEST(gguf_floats_must_be_finite_where_they_are_used)
{
    gguf g;
    lory_err err;
    float f = 1;
    buf b = header(3, 0, 2);
    str(&b, "nan"), u32(&b, GGUF_F32), u32(&b, 0x7fc00000);
    str(&b, "big"), u32(&b, GGUF_F64), u64(&b, 0x7e37e43c8800759cu); /* 1e300 */
    REQUIRE(open_buf(&g, &b, &err), "%s", err.text);
    CHECK(!gguf_get_f32(&g, "nan", &f, &err) && err.code == LORY_E_FORMAT && f == 1);
    CHECK(!gguf_get_f32(&g, "big", &f, &err));
    CHECK_STR(err.text, "t.gguf: key 'big' is not a finite number (found 1e+300)");
    gguf_close(&g);
    buf_free(&b);
}

/* ---- what is refused --------------------------------------------------------------------- */

TEST(gguf_says_what_other_files_are)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *want;
    } rows[] = {
        { "PK\3\4........", 12,
          "t.gguf: is a ZIP archive (PyTorch checkpoints are), not a GGUF file" },
        { "tjgg........", 12,
          "t.gguf: is in an old GGML format from before GGUF; convert it from its "
          "source again" },
        { "24ka\1\0\0\0....", 12,
          "t.gguf: is a llama2.c checkpoint; 'lory convert' makes a GGUF file of it" },
        { "\x40\0\0\0\xac\0\0\0\5\0\0\0\x8\0\0\0\4\0\0\0\0\2\0\0\0\2\0\0....", 32,
          "t.gguf: is a llama2.c checkpoint; 'lory convert' makes a GGUF file of it" },
        { "\4\0\0\0\0\0\0\0{}  ....", 16,
          "t.gguf: is a safetensors file; 'lory convert' makes a GGUF file of its folder" },
        { "\n <!DOCTYPE html>", 17,
          "t.gguf: is an HTML page, not a model (the download got a web page "
          "instead)" },
        { "version https://git-lfs.github.com/spec/v1\n", 43,
          "t.gguf: is a git-lfs pointer, not the file itself; run 'git lfs pull'" },
        { "\x1f\x8b\x8 ........", 12, "t.gguf: is compressed by gzip; unpack it first" },
        { "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17,
          "t.gguf: is all zeros at its start (a download that did not finish?)" },
        { "GGU", 3, "t.gguf: is not a GGUF file (it has only 3 bytes)" },
        { "Once upon a time", 16,
          "t.gguf: is not a GGUF file (it starts with bytes 4f 6e 63 65, expected "
          "'GGUF')" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf b = { 0 };
        buf_put(&b, rows[i].bytes, rows[i].n);
        REFUSED(b, rows[i].want);
    }
}

TEST(gguf_names_versions_it_does_not_read)
{
    buf v1 = header(1, 0, 0), v9 = header(9, 0, 0), be = header(0x03000000, 0, 0);
    REFUSED(v1,
            "t.gguf: is a GGUF file of version 1; lory reads versions 2 and 3: convert it from its "
            "source again");
    REFUSED(v9, "t.gguf: is a GGUF file of unknown version 9 (lory reads 2 and 3)");
    REFUSED(be,
            "t.gguf: is a big-endian GGUF file (version bytes 03000000); lory reads little-endian "
            "ones");
}

TEST(gguf_refuses_counts_beyond_the_file)
{
    buf kvs = header(3, 0, 1u << 30), tensors = header(3, UINT64_MAX, 0);
    REFUSED(kvs, "t.gguf: the header claims 1073741824 keys, but only 0 bytes follow it");
    REFUSED(tensors,
            "t.gguf: the header claims 18446744073709551615 tensors, but only 0 bytes follow it");
    buf b = header(3, 0, 1);
    str(&b, "k"), u32(&b, GGUF_ARR), u32(&b, GGUF_STR), u64(&b, UINT64_MAX);
    REFUSED(
        b,
        "t.gguf: cut short in key 'k': its array of strings needs 18446744073709551615 bytes from "
        "byte 49 on, the file has 49");
    buf c = header(3, 0, 1);
    str(&c, "k"), u32(&c, GGUF_STR), u64(&c, 10), buf_puts(&c, "short");
    REFUSED(
        c,
        "t.gguf: cut short in key 'k': a string needs 10 bytes from byte 45 on, the file has 50");
}

TEST(gguf_refuses_bad_keys)
{
    buf twice = header(3, 0, 2);
    kv_u32(&twice, "general.k", 1), kv_u32(&twice, "general.k", 2);
    REFUSED(twice, "t.gguf: key 'general.k' is there twice");
    buf type = header(3, 0, 1);
    str(&type, "k"), u32(&type, 13), u64(&type, 0);
    REFUSED(type, "t.gguf: key 'k' has an unknown value type (found 13, expected 0 to 12)");
    buf nested = header(3, 0, 1);
    str(&nested, "k"), u32(&nested, GGUF_ARR), u32(&nested, GGUF_ARR), u64(&nested, 0);
    REFUSED(nested, "t.gguf: key 'k' is an array of arrays");
    buf utf8 = header(3, 0, 1);
    kv_u32(&utf8, "\xff\xfe", 1);
    REFUSED(utf8, "t.gguf: key 1 of 1 has a name that is not UTF-8");
    buf empty = header(3, 0, 1);
    kv_u32(&empty, "", 1), u32(&empty, 0);
    REFUSED(empty, "t.gguf: key 1 of 1 has an empty name");
    buf half = header(3, 0, 1);
    str(&half, "k"), u32(&half, GGUF_BOOL), buf_putc(&half, 2);
    REFUSED(half, "t.gguf: key 'k' has a bool that is neither 0 nor 1 (found 2)");
    buf align = header(3, 0, 1);
    kv_u32(&align, "general.alignment", 48);
    REFUSED(align,
            "t.gguf: key 'general.alignment' is 48 (expected a power of two from 8 to 65536)");
}

/* One tensor "t" and 32 bytes of data. */
static buf one_tensor(uint64_t ne, uint32_t type, uint64_t offset)
{
    buf b = header(3, 1, 0);
    info(&b, "t", ne, type, offset);
    pad_to(&b, 32);
    for (int i = 0; i < 32; i++) buf_putc(&b, 0);
    return b;
}

TEST(gguf_refuses_bad_tensors)
{
    gguf g;
    lory_err err;
    buf good = one_tensor(8, 0, 0);
    CHECK(open_buf(&g, &good, &err), "%s", err.text);
    gguf_close(&g);
    buf_free(&good);
    buf longer = one_tensor(9, 0, 0), none = one_tensor(0, 0, 0),
        huge = one_tensor(1ull << 62, 0, 0);
    buf rows = one_tensor(8, 8, 0), askew = one_tensor(4, 0, 16), far = one_tensor(1, 0, 64);
    buf i32 = one_tensor(8, 26, 0), unknown = one_tensor(8, 999, 0);
    REFUSED(longer,
            "t.gguf: tensor 't' is cut short: it needs 36 bytes at offset 0, the file has 32 bytes "
            "of tensor data");
    REFUSED(none, "t.gguf: tensor 't' has 0 elements in dimension 0");
    REFUSED(huge,
            "t.gguf: tensor 't' is larger than the file (4611686018427387904 x 1 x 1 x 1 of f32)");
    REFUSED(rows,
            "t.gguf: tensor 't' of type q8_0 has rows of 8 elements (expected a multiple of 32)");
    REFUSED(askew, "t.gguf: tensor 't' is at offset 16 (expected a multiple of 32)");
    REFUSED(
        far,
        "t.gguf: tensor 't' is cut short: it needs 4 bytes at offset 64, the file has 32 bytes of "
        "tensor data");
    REFUSED(i32, "t.gguf: tensor 't' is of a type that lory does not know (number 26, i32)");
    REFUSED(unknown, "t.gguf: tensor 't' is of a type that lory does not know (number 999)");
}

TEST(gguf_refuses_tensors_that_overlap_or_share_a_name)
{
    buf b = header(3, 3, 0);
    info(&b, "a", 16, 0, 32), info(&b, "b", 4, 0, 0), info(&b, "c", 4, 0, 64);
    pad_to(&b, 32);
    for (int i = 0; i < 96; i++) buf_putc(&b, 0);
    REFUSED(b, "t.gguf: tensor 'c' overlaps tensor 'a' (byte 64 of the tensor data)");
    buf c = header(3, 2, 0);
    info(&c, "a", 4, 0, 0), info(&c, "a", 4, 0, 32);
    pad_to(&c, 32);
    for (int i = 0; i < 64; i++) buf_putc(&c, 0);
    REFUSED(c, "t.gguf: tensor 'a' is there twice");
}

TEST(gguf_shows_hostile_names_on_one_clean_line)
{
    buf b = header(3, 0, 1);
    buf key = { 0 };
    buf_puts(&key, "\x1b[31m\n");
    for (int i = 0; i < 100; i++) buf_puts(&key, "\xc3\xa9");
    str(&b, key.data), u32(&b, 77), u32(&b, 0);
    gguf g;
    lory_err err;
    CHECK(!open_buf(&g, &b, &err));
    CHECK(strstr(err.text, "t.gguf: key '?[31m?\xc3\xa9") && strstr(err.text, "\xc3\xa9...' has"),
          "%s", err.text);
    CHECK(strlen(err.text) < 200);
    buf_free(&b);
    buf_free(&key);
}

TEST(gguf_needs_no_tensors)
{
    gguf g;
    lory_err err;
    buf b = header(3, 0, 0);
    REQUIRE(open_buf(&g, &b, &err), "%s", err.text);
    CHECK(gguf_find(&g, "k") == NULL && gguf_find_tensor(&g, "t") == NULL && g.tensor_bytes == 0);
    gguf_close(&g);
    gguf_close(&g);
    buf_free(&b);
}

/* ---- limits ------------------------------------------------------------------------------ */

TEST(gguf_open_survives_every_failing_allocation)
{
    gguf g;
    lory_err err;
    buf b = whole_file(3);
    size_t live = mem_live_bytes();
    bool opened = false;
    for (uint64_t n = 1; !opened && n < 100; n++) {
        mem_fail_at(n);
        opened = open_buf(&g, &b, &err);
        mem_fail_at(0);
        if (!opened) CHECK(err.code == LORY_E_MEMORY && mem_live_bytes() == live, "%s", err.text);
    }
    CHECK(opened);
    gguf_close(&g);
    buf_free(&b);
}

TEST(gguf_takes_memory_and_time_in_proportion_to_the_file)
{
    enum { N = 200000 };
    gguf g;
    lory_err err;
    buf b = header(3, 0, N);
    char key[32];
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "key.%d", i);
        kv_u32(&b, key, (uint32_t)i);
    }
    clock_t begin = clock();
    size_t live = mem_live_bytes();
    REQUIRE(open_buf(&g, &b, &err), "%s", err.text);
    CHECK(mem_live_bytes() - live < 6 * b.len, "%zu bytes", mem_live_bytes() - live);
    CHECK(gguf_int_at(gguf_find(&g, "key.199999"), 0) == N - 1);
    CHECK(clock() - begin < 2 * CLOCKS_PER_SEC);
    gguf_close(&g);
    buf_free(&b);
}

/* Pages of memory that this process has resident. */
static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &size, &resident) != 2) resident = 0;
    if (f) fclose(f);
    return resident;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

TEST(gguf_opens_two_gigabytes_without_reading_them)
{
    enum { N_TENSORS = 256, N_ELEMS = 1 << 21 }; /* 8 MiB each */
    gguf g;
    lory_err err;
    const char *path = test_temp("big.gguf");
    buf b = header(3, N_TENSORS, 0);
    for (int i = 0; i < N_TENSORS; i++) {
        char name[16];
        snprintf(name, sizeof name, "blk.%d", i);
        info(&b, name, N_ELEMS, 0, (uint64_t)i * N_ELEMS * 4);
    }
    pad_to(&b, 32);
    FILE *f = fopen(path, "wb"); /* a sparse file: nothing but the header takes room */
    REQUIRE(f && fwrite(b.data, 1, b.len, f) == b.len);
    REQUIRE(ftruncate(fileno(f), (off_t)b.len + (off_t)N_TENSORS * N_ELEMS * 4) == 0
            && fflush(f) == 0);
    fclose(f);
    long pages = resident_pages();
    double best_ms = 1e9;
    for (int i = 0; i < 5; i++) { /* the best of five: the machine has other work too */
        if (i) gguf_close(&g);
        double begin = now_ms();
        REQUIRE(gguf_open(&g, path, &err), "%s", err.text);
        if (now_ms() - begin < best_ms) best_ms = now_ms() - begin;
    }
    CHECK(best_ms < 50, "%.1f ms", best_ms);
    CHECK(resident_pages() - pages < 512, "%ld pages more", resident_pages() - pages);
    CHECK(g.tensor_bytes == 1ull << 31);
    gguf_close(&g);
    buf_free(&b);
}

/* Every GGUF file of a folder of the shared data; how many there were. */
static int open_all(const char *folder)
{
    int n = 0;
    const char *dir = test_shared(folder);
    DIR *d = dir ? opendir(dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[1024];
        gguf g;
        lory_err err;
        if (!strstr(e->d_name, ".gguf")) continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        n++;
        CHECK(gguf_open(&g, path, &err), "%s", err.text);
        gguf_close(&g);
    }
    if (d) closedir(d);
    return n;
}

TEST(gguf_opens_the_files_there_are)
{
    int n = open_all("models") + open_all("models/tales-3m") + open_all("tokenizers")
            + open_all("golden/llama-k256") + open_all("golden/gpt-oss")
            + open_all("golden/gemma2");
    if (n == 0) test_skip("no shared data");
    CHECK(n > 10, "%d files", n);
}
