/* test_mem.c - checked sizes, aligned zeroed blocks, counted bytes, the arena. */
#include "base/mem.h"
#include "test.h"

TEST(mem_mul_and_add_refuse_what_does_not_fit)
{
    size_t n = 7;
    CHECK(mem_mul(0, SIZE_MAX, &n) && n == 0);
    CHECK(mem_mul(SIZE_MAX, 1, &n) && n == SIZE_MAX);
    CHECK(mem_mul(SIZE_MAX / 2, 2, &n) && n == SIZE_MAX - 1);
    CHECK(!mem_mul(SIZE_MAX / 2 + 1, 2, &n) && n == SIZE_MAX - 1);
    CHECK(mem_add(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
    n = 7;
    CHECK(!mem_add(SIZE_MAX, 1, &n) && n == 7);
}

TEST(mem_new_gives_zeroed_aligned_blocks)
{
    static const size_t sizes[] = { 0, 1, 15, 63, 64, 65, 1000, 1 << 20 };
    unsigned char *blocks[8];
    for (size_t round = 0; round < 3; round++) { /* later rounds get used memory again */
        for (size_t i = 0; i < 8; i++) {
            blocks[i] = mem_new(sizes[i], 1);
            REQUIRE(blocks[i]);
            CHECK((uintptr_t)blocks[i] % MEM_ALIGN == 0);
            size_t n_set = 0;
            for (size_t j = 0; j < sizes[i]; j++) n_set += blocks[i][j] != 0;
            CHECK(n_set == 0);
            memset(blocks[i], 0xa5, sizes[i]);
        }
        for (size_t i = 0; i < 8; i++) mem_free(blocks[i]);
    }
    mem_free(NULL);
    CHECK(mem_live_bytes() == 0);
}

TEST(mem_new_refuses_impossible_sizes)
{
    CHECK(mem_new(SIZE_MAX, 1) == NULL);
    CHECK(mem_new(SIZE_MAX - 64, 1) == NULL);
    CHECK(mem_new(SIZE_MAX / 2, 3) == NULL);
    CHECK(mem_live_bytes() == 0);
}

TEST(mem_resize_keeps_what_fits_and_zeroes_the_rest)
{
    unsigned char *p = mem_resize(NULL, 0, 10, 1);
    REQUIRE(p);
    memset(p, 7, 10);
    p = mem_resize(p, 10, 100, 1);
    REQUIRE(p);
    CHECK(p[0] == 7 && p[9] == 7 && p[10] == 0 && p[99] == 0);
    CHECK(mem_resize(p, 100, SIZE_MAX, 2) == NULL && p[9] == 7);
    p = mem_resize(p, 100, 5, 1);
    REQUIRE(p);
    CHECK(p[4] == 7 && mem_live_bytes() == 5);
    mem_free(p);
}

TEST(mem_counts_live_and_peak_bytes)
{
    void *a = mem_new(100, 3), *b = mem_new(50, 1);
    CHECK(mem_live_bytes() == 350 && mem_peak_bytes() == 350);
    mem_free(a);
    CHECK(mem_live_bytes() == 50 && mem_peak_bytes() == 350);
    mem_free(b);
    CHECK(mem_live_bytes() == 0);
}

TEST(mem_fail_at_fails_the_nth_allocation_and_all_after)
{
    mem_fail_at(3);
    void *a = mem_new(1, 1), *b = mem_new(1, 1), *c = mem_new(1, 1), *d = mem_new(1, 1);
    CHECK(a && b && !c && !d);
    mem_fail_at(0);
    c = mem_new(1, 1);
    CHECK(c != NULL);
    mem_free(a), mem_free(b), mem_free(c), mem_free(d);
}

TEST(mem_fail_once_fails_the_nth_allocation_alone)
{
    mem_fail_once(2);
    void *a = mem_new(1, 1), *b = mem_new(1, 1), *c = mem_new(1, 1);
    CHECK(a && !b && c);
    mem_free(a), mem_free(c);
}

TEST(arena_blocks_are_zeroed_aligned_and_apart)
{
    enum { N = 2000 };
    static unsigned char *blocks[N];
    mem_arena a = { 0 };
    for (size_t i = 0; i < N; i++) {
        blocks[i] = arena_new(&a, i % 300, 1);
        REQUIRE(blocks[i]);
        CHECK((uintptr_t)blocks[i] % 16 == 0);
        for (size_t j = 0; j < i % 300; j++) {
            CHECK(blocks[i][j] == 0);
            blocks[i][j] = (unsigned char)i;
        }
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i % 300; j++)
            if (blocks[i][j] != (unsigned char)i) CHECK(false, "block %zu was written over", i);
    unsigned char *large = arena_new(&a, 1 << 20, 1);
    REQUIRE(large);
    memset(large, 1, 1 << 20);
    CHECK(arena_new(&a, SIZE_MAX, 1) == NULL && arena_new(&a, SIZE_MAX / 2, 3) == NULL);
    arena_free(&a);
    arena_free(&a);
    CHECK(mem_live_bytes() == 0);
}

TEST(an_arena_takes_memory_as_it_needs_it)
{
    mem_arena few = { 0 }, many = { 0 };
    REQUIRE(arena_new(&few, 0, 1) && arena_new(&few, 100, 1));
    CHECK(mem_live_bytes() < 2048, "%zu bytes", mem_live_bytes());
    size_t before = mem_live_bytes();
    for (int i = 0; i < 10000; i++) REQUIRE(arena_new(&many, 100, 1));
    CHECK(mem_live_bytes() - before < 10000 * 112 + (64 << 10));
    arena_free(&few);
    arena_free(&many);
}

TEST(arena_strndup_copies_n_bytes)
{
    mem_arena a = { 0 };
    CHECK_STR(arena_strndup(&a, "hello", 3), "hel");
    CHECK_STR(arena_strndup(&a, "hello", 0), "");
    CHECK(arena_strndup(&a, "hello", SIZE_MAX) == NULL);
    arena_free(&a);
    mem_fail_at(1);
    CHECK(arena_strndup(&a, "hello", 3) == NULL);
    arena_free(&a);
}

TEST(large_pages_may_be_asked_for_in_any_part_of_a_lazy_block)
{
    enum { SIZE = 9 << 20 };
    unsigned char *p = mem_new_lazy(SIZE);
    REQUIRE(p);
    mem_prefer_large(p + 100, 0);
    mem_prefer_large(p + SIZE - 10, 10);
    mem_prefer_large(p + 12345, SIZE - 54321);
    for (size_t i = 0; i < SIZE; i += 4095) CHECK(p[i] == 0 && (p[i] = 1) == 1);
    mem_prefer_large(p, SIZE);
    for (size_t i = 0; i < SIZE; i += 4095) CHECK(p[i] == 1);
    mem_free_lazy(p, SIZE);
}
