/* test_safetensors.c - safetensors files, made here right and wrong in many ways. */
#include "base/buf.h"
#include "base/bytes.h"
#include "gguf/safetensors.h"
#include "test.h"
#include <math.h>

/* The file of a header and n_data bytes 0, 1, 2, .. */
static buf file_of(const char *header, size_t n_data)
{
    buf b = { 0 };
    unsigned char length[8] = { 0 };
    bytes_put_u32(length, (uint32_t)strlen(header));
    buf_put(&b, length, 8);
    buf_puts(&b, header);
    for (size_t i = 0; i < n_data; i++) buf_putc(&b, (char)(unsigned char)i);
    return b;
}

static bool opens(const char *header, size_t n_data, safetensors *s, buf *b, lory_err *err)
{
    *b = file_of(header, n_data);
    return safetensors_open_bytes(s, b->data, b->len, "x.safetensors", err);
}

/* The file is refused with that sentence. */
static void refused(const char *header, size_t n_data, const char *want)
{
    safetensors s;
    lory_err err = { 0 };
    buf b;
    if (opens(header, n_data, &s, &b, &err))
        test_fail(__FILE__, __LINE__, "opened: %s", header);
    else
        CHECK_STR(err.text, want);
    safetensors_close(&s);
    buf_free(&b);
}

#define T(name, dtype, shape, begin, end)                                                          \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end \
    "]}"

TEST(tensors_are_listed_in_the_order_of_their_data)
{
    safetensors s;
    lory_err err = { 0 };
    buf b;
    REQUIRE(opens("{\"__metadata__\":{\"format\":\"pt\"}," T("b", "F32", "[1,2]", 6, 14) "," T(
                      "a", "F16", "[3]", 0, 6) "}  ",
                  14, &s, &b, &err),
            "%s", err.text);
    REQUIRE(s.n_tensors == 2);
    CHECK(gguf_str_is(s.tensors[0].name, "a") && gguf_str_is(s.tensors[1].name, "b"));
    CHECK(s.tensors[0].n_dims == 1 && s.tensors[0].shape[0] == 3 && s.tensors[0].n_bytes == 6);
    CHECK(s.tensors[1].n_dims == 2 && s.tensors[1].n_elems == 2 && s.tensors[1].data[0] == 6);
    safetensors_close(&s);
    buf_free(&b);
}

TEST(wrong_safetensors_are_refused_in_one_line)
{
    refused("{" T("a", "F32", "[2]", 0, 8), 8,
            "x.safetensors: line 1, byte 54: not JSON (found the end, expected ',' or '}')");
    refused("[]", 0, "x.safetensors: is not a safetensors file");
    refused("{\"a\":1}", 0, "x.safetensors: tensor 'a' is no object in the header");
    refused("{" T("a", "F33", "[2]", 0, 8) "}", 8,
            "x.safetensors: tensor 'a' has the dtype 'F33', which lory does not know");
    refused("{" T("a", "F32", "[2,-1]", 0, 8) "}", 8,
            "x.safetensors: tensor 'a' has a shape that is no size (dimension 2 of 2)");
    refused("{" T("a", "F32", "[4294967296,4294967296]", 0, 8) "}", 8,
            "x.safetensors: tensor 'a' has a shape that is no size (dimension 2 of 2)");
    refused("{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4,
            "x.safetensors: tensor 'a' has 9 dimensions (expected at most 8)");
    refused("{" T("a", "F32", "[2]", 0, 12) "}", 8,
            "x.safetensors: tensor 'a' has bytes 0 to 12 of the data, which has 8");
    refused("{" T("a", "F32", "[2]", 8, 0) "}", 8,
            "x.safetensors: tensor 'a' has bytes 8 to 0 of the data, which has 8");
    refused("{" T("a", "F32", "[2]", 0, 4) "}", 8,
            "x.safetensors: tensor 'a' has 4 bytes (its shape of 2 elements of F32 asks for 8)");
    refused("{" T("a", "U8", "[4]", 0, 4) "," T("b", "U8", "[4]", 3, 7) "}", 7,
            "x.safetensors: tensor 'b' overlaps the one before it");
    refused("{" T("a", "U8", "[4]", 0, 4) "," T("a", "U8", "[4]", 4, 8) "}", 8,
            "x.safetensors: tensor 'a' is there twice");
    refused("{" T("a", "U8", "[4]", 0, 4) "," T("b", "U8", "[4]", 68, 72) "}", 72,
            "x.safetensors: tensor 'b' has 64 bytes before it that belong to no tensor");
    refused("{" T("a", "U8", "[4]", 0, 4) "}", 100,
            "x.safetensors: goes on after its last tensor (96 more bytes)");
    refused("{\"\":{}}", 0, "x.safetensors: a tensor has an empty name");
}

TEST(a_safetensors_header_may_not_be_longer_than_the_file)
{
    safetensors s;
    lory_err err;
    unsigned char bytes[16] = { 255, 255, 255, 255, 255, 255, 255, 127, '{', '}' };
    CHECK(!safetensors_open_bytes(&s, bytes, sizeof bytes, "x", &err));
    CHECK_STR(err.text,
              "x: says that its header has 9223372036854775807 bytes (the file has 8 after it)");
    CHECK(!safetensors_open_bytes(&s, bytes, 3, "x", &err));
    CHECK(!safetensors_open_bytes(&s, "version https://git-lfs.github.com/spec/v1", 42, "x", &err));
    CHECK(strstr(err.text, "git lfs pull"), "%s", err.text);
}

/* From the definition: sign, 4 bits of exponent with bias 7, 3 of mantissa. */
static double e4m3(int b)
{
    int e = b >> 3 & 15, m = b & 7;
    double v = e ? ldexp(8 + m, e - 10) : ldexp(m, -9);
    return b & 128 ? -v : v;
}

TEST(values_of_every_dtype_become_floats)
{
    safetensors s;
    lory_err err = { 0 };
    float f[256];
    buf b;
    REQUIRE(opens("{" T("a", "F8_E4M3", "[256]", 0, 256) "}", 256, &s, &b, &err), "%s", err.text);
    st_to_f32(&s.tensors[0], 0, 256, f);
    for (int i = 0; i < 256; i++)
        if ((i & 127) == 127)
            CHECK(isnan(f[i]));
        else
            CHECK((double)f[i] == e4m3(i) && !signbit(f[i]) == !(i >> 7), "e4m3 %d: %g", i,
                  (double)f[i]);
    st_tensor t = { .dtype = ST_F8_E5M2, .data = (const unsigned char *)"\x3c\xc1\x7c" };
    st_to_f32(&t, 0, 3, f);
    CHECK(f[0] == 1.0f && f[1] == -2.5f && isinf(f[2]));
    t = (st_tensor){ .dtype = ST_F8_E8M0, .data = (const unsigned char *)"\x7f\x80\x00" };
    st_to_f32(&t, 0, 3, f);
    CHECK(f[0] == 1.0f && f[1] == 2.0f && f[2] == 0x1p-127f);
    t = (st_tensor){ .dtype = ST_I16, .data = (const unsigned char *)"\xff\xff\x02\x01" };
    st_to_f32(&t, 0, 2, f);
    CHECK(f[0] == -1.0f && f[1] == 258.0f);
    safetensors_close(&s);
    buf_free(&b);
}

static void put(unsigned char *p, uint64_t bits, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) p[i] = (unsigned char)(bits >> 8 * i);
}

TEST(elements_of_any_dtype_become_floats)
{
    static const struct {
        st_dtype dtype;
        uint64_t bits;
        float value;
    } cases[] = {
        { ST_F64, 0xc004000000000000, -2.5f }, { ST_F32, 0xc0200000, -2.5f },
        { ST_F16, 0xc100, -2.5f },             { ST_BF16, 0xc020, -2.5f },
        { ST_I64, (uint64_t)-3, -3.0f },       { ST_U64, 1ull << 63, 0x1p63f },
        { ST_I32, (uint32_t)-70000, -70000.0f }, { ST_U32, 4000000000, 4e9f },
        { ST_I16, (uint16_t)-300, -300.0f },   { ST_U16, 65000, 65000.0f },
        { ST_I8, (uint8_t)-5, -5.0f },         { ST_U8, 200, 200.0f },
        { ST_BOOL, 1, 1.0f },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char bytes[16] = { 0 };
        const size_t size = st_dtype_bytes(cases[i].dtype);
        const st_tensor t = { .dtype = cases[i].dtype, .data = bytes };
        float out[2] = { 7.0f, 7.0f };
        put(bytes + size, cases[i].bits, size);
        st_to_f32(&t, 0, 2, out);
        CHECK(out[0] == 0.0f && out[1] == cases[i].value, "%s: %g", st_dtype_name(t.dtype),
              (double)out[1]);
        st_to_f32(&t, 1, 1, out);
        CHECK(out[0] == cases[i].value, "%s from element 1", st_dtype_name(t.dtype));
    }
}
