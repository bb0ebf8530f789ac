/* test_hash.c - XXH64 against the values of the reference implementation. */
#include "base/hash.h"
#include "test.h"

/* The buffer of xxHash's own self-test: a generator of bytes. */
static void fill(unsigned char *b, size_t n)
{
    uint64_t g = 2654435761u;
    for (size_t i = 0; i < n; i++) {
        b[i] = (unsigned char)(g >> 56);
        g *= 11400714785074694797u;
    }
}

TEST(xxh64_gives_the_published_values)
{
    static const struct {
        size_t n;
        uint64_t seed, want;
    } cases[] = { /* xxHash, tests/sanity_test_vectors.h */
        { 0, 0, 0xef46db3751d8e999u }, { 0, 2654435761u, 0xac75fda2929b17efu },
        { 1, 0, 0xe934a84adb052768u }, { 1, 2654435761u, 0x5014607643a9b4c3u },
        { 14, 0, 0x8282dcc4994e35c8u }, { 14, 2654435761u, 0xc3bd6bf63deb6df0u },
        { 222, 0, 0xb641ae8cb691c174u }, { 222, 2654435761u, 0x20cb8ab7ae10c14au },
    };
    unsigned char b[222];
    fill(b, sizeof b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t got = hash64_of(b, cases[i].n, cases[i].seed);
        CHECK(got == cases[i].want, "%zu bytes: got %016llx", cases[i].n, (unsigned long long)got);
    }
    CHECK(hash64_of("abc", 3, 0) == 0x44bc2cf5ad770999u);
}

TEST(a_hash_does_not_depend_on_the_cuts)
{
    unsigned char b[200];
    fill(b, sizeof b);
    uint64_t want = hash64_of(b, sizeof b, 7);
    for (size_t cut = 1; cut < sizeof b; cut++) {
        hash64 h;
        hash64_begin(&h, 7);
        for (size_t i = 0; i < sizeof b; i += cut)
            hash64_put(&h, b + i, sizeof b - i < cut ? sizeof b - i : cut);
        CHECK(hash64_end(&h) == want, "cut %zu", cut);
    }
}
