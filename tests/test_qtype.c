/* Tests of src/quant/qtype.c: the table, half floats, bfloat16. */
#include "quant/qtype.h"
#include "quant/q_float.h"
#include "test.h"
#include <math.h>
#include <string.h>

TEST(every_row_of_the_type_table_is_consistent)
{
    for (int t = 0; t < QT_COUNT; t++) {
        const qtype_row *r = &qtypes[t];
        REQUIRE(r->name && r->to_f32);
        CHECK(qtype_from_gguf(r->gguf_id) == (qtype)t, "%s: another row has its number", r->name);
        CHECK(qtype_from_name(r->name) == (qtype)t, "%s: another row has its name", r->name);
        CHECK(!qtype_foreign_name(r->gguf_id), "%s is also a foreign type", r->name);
        CHECK((r->n_sub != 0) == (r->unpack != NULL), "%s", r->name);
        CHECK(r->n_sub == 0 || r->block_elems % QT_GROUP == 0, "%s", r->name);
        CHECK(qtype_row_bytes((qtype)t, 512) == (size_t)(512 / r->block_elems * r->block_bytes));
    }
}

TEST(types_are_found_by_number_and_by_name_in_any_case)
{
    CHECK(qtype_from_gguf(12) == QT_Q4_K);
    CHECK(qtype_from_gguf(39) == QT_MXFP4);
    CHECK(qtype_from_gguf(9) == QT_COUNT);
    CHECK(qtype_from_gguf(UINT32_MAX) == QT_COUNT);
    CHECK(qtype_from_name("Q4_K") == QT_Q4_K);
    CHECK(qtype_from_name("bf16") == QT_BF16);
    CHECK(qtype_from_name("q4") == QT_COUNT);
    CHECK(qtype_from_name("") == QT_COUNT);
    CHECK_STR(qtype_foreign_name(9), "q8_1");
    CHECK_STR(qtype_foreign_name(26), "i32");
    CHECK(!qtype_foreign_name(99));
}

/* The value of a half float, from its definition. */
static double half_value(uint16_t h)
{
    int exp = h >> 10 & 31, frac = h & 1023;
    double a = exp == 0 ? ldexp(frac, -24) : ldexp(1024 + frac, exp - 25);
    return h & 0x8000 ? -a : a;
}

TEST(every_half_float_is_read_exactly_and_written_back)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = f16_to_f32((uint16_t)h);
        uint16_t back = f32_to_f16(f);
        if ((h & 0x7fff) > 0x7c00) {
            CHECK(isnan(f) && back == (h | 0x200), "NaN %04x became %04x", h, back);
        } else if ((h & 0x7fff) == 0x7c00) {
            CHECK(isinf(f) && back == h, "infinity %04x became %04x", h, back);
        } else {
            CHECK((double)f == half_value((uint16_t)h) && !signbit(f) == !(h >> 15), "%04x", h);
            CHECK(back == h, "%04x became %04x", h, back);
        }
    }
}

/* Each pair of neighbours: their middle goes to the even one, its float neighbours to either. */
TEST(writing_half_floats_rounds_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float low = f16_to_f32((uint16_t)h), high = f16_to_f32((uint16_t)(h + 1));
        float middle = low + (high - low) / 2;
        uint32_t even = h & 1 ? h + 1 : h;
        CHECK(f32_to_f16(middle) == even, "above %04x", h);
        CHECK(f32_to_f16(nextafterf(middle, 0)) == h, "above %04x", h);
        CHECK(f32_to_f16(nextafterf(middle, INFINITY)) == h + 1, "above %04x", h);
        CHECK(f32_to_f16(-middle) == (even | 0x8000), "below -%04x", h);
    }
    CHECK(f32_to_f16(65504.0f) == 0x7bff);
    CHECK(f32_to_f16(65519.99f) == 0x7bff);
    CHECK(f32_to_f16(65520.0f) == 0x7c00);
    CHECK(f32_to_f16(3e38f) == 0x7c00);
    CHECK(f32_to_f16(-INFINITY) == 0xfc00);
    CHECK(f32_to_f16(0x1p-25f) == 0);
    CHECK(f32_to_f16(1e-45f) == 0);
    CHECK(f32_to_f16(-0.0f) == 0x8000);
}

TEST(bfloat16_is_the_upper_half_of_a_float_rounded_to_even)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = bf16_to_f32((uint16_t)h);
        uint32_t u = h << 16;
        CHECK_SAME(&f, &u, sizeof u, "%04x", h);
        if (!isnan(f)) CHECK(f32_to_bf16(f) == h, "%04x", h);
    }
    const struct {
        uint32_t f32;
        uint16_t bf16;
    } rounds[] = {
        { 0x3f808000, 0x3f80 }, { 0x3f808001, 0x3f81 }, { 0x3f818000, 0x3f82 },
        { 0x3f817fff, 0x3f81 }, { 0x7f7fffff, 0x7f80 }, { 0xff7f8000, 0xff80 },
        { 0x00008000, 0x0000 }, { 0x00018000, 0x0002 }, { 0x7f800000, 0x7f80 },
        { 0x7f800001, 0x7fc0 }, { 0xffffffff, 0xffff },
    };
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        float f;
        memcpy(&f, &rounds[i].f32, sizeof f);
        CHECK(f32_to_bf16(f) == rounds[i].bf16, "%08x", rounds[i].f32);
    }
}
