/* test_rng.c - the numbers at a place never change, and look random whichever way they are cut. */
#include "base/rng.h"
#include "test.h"
#include <math.h>

TEST(rng_gives_the_numbers_it_always_gave)
{
    CHECK(rng_at(0, 0, 0) == 0x238275bc38fcbe91u, "%016llx", (unsigned long long)rng_at(0, 0, 0));
    CHECK(rng_at(1, 2, 3) == 0x6fed3cdbadf17b47u, "%016llx", (unsigned long long)rng_at(1, 2, 3));
    CHECK(rng_at(UINT64_MAX, UINT64_MAX, UINT64_MAX) == 0x179f01f0d2fba97au, "%016llx",
          (unsigned long long)rng_at(UINT64_MAX, UINT64_MAX, UINT64_MAX));
}

TEST(rng_uniform_is_below_one_and_even)
{
    enum { N = 200000, N_BIN = 64 };
    int bins[N_BIN] = { 0 };
    double chi2 = 0.0;
    for (uint64_t i = 0; i < N; i++) {
        double u = rng_uniform_at(42, i, 0);
        REQUIRE(u >= 0.0 && u < 1.0);
        bins[(int)(u * N_BIN)]++;
    }
    for (int i = 0; i < N_BIN; i++) {
        double d = bins[i] - (double)N / N_BIN;
        chi2 += d * d / ((double)N / N_BIN);
    }
    CHECK(chi2 > 28.0 && chi2 < 118.0, "chi2 %g of 63 degrees", chi2); /* 1e-4 on either side */
}

/* One bit more or less in any input changes each output bit half of the time. */
TEST(rng_changes_half_of_its_bits_for_one_bit_of_any_input)
{
    enum { N = 400 };
    for (int input = 0; input < 3; input++)
        for (int bit = 0; bit < 64; bit++) {
            int n_changed = 0;
            for (uint64_t i = 0; i < N; i++) {
                uint64_t in[3] = { i * 3, i * 5, i * 7 };
                uint64_t before = rng_at(in[0], in[1], in[2]);
                in[input] ^= (uint64_t)1 << bit;
                n_changed += __builtin_popcountll(before ^ rng_at(in[0], in[1], in[2]));
            }
            double mean = n_changed / (double)N; /* standard error 4 / sqrt(N) = 0.2 */
            CHECK(fabs(mean - 32.0) < 1.0, "input %d bit %d: %.2f bits", input, bit, mean);
        }
}

/* The same draw of neighbouring seeds, positions or streams: correlation about 1 / sqrt(N). */
TEST(rng_neighbours_are_independent)
{
    enum { N = 100000 };
    for (int input = 0; input < 3; input++) {
        double sum = 0.0;
        for (uint64_t i = 0; i < N; i++) {
            uint64_t a[3] = { 9, 9, 9 }, b[3] = { 9, 9, 9 };
            a[input] = i;
            b[input] = i + 1;
            sum +=
                (rng_uniform_at(a[0], a[1], a[2]) - 0.5) * (rng_uniform_at(b[0], b[1], b[2]) - 0.5);
        }
        CHECK(fabs(sum * 12.0 / N) < 0.015, "input %d: correlation %g", input, sum * 12.0 / N);
    }
}
