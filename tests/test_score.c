/* test_score.c - the numbers of lory eval, and the file of saved logits. */
#include "base/file.h"
#include "cli/logits_file.h"
#include "cli/score.h"
#include "test.h"
#include <math.h>

static bool is_near(double got, double want)
{
    return fabs(got - want) <= 1e-12 * (1 + fabs(want));
}

TEST(log_sum_makes_log_probabilities)
{
    float l[3];
    static const double p[] = { 0.5, 0.3, 0.2 };
    double log_sum, total = 0;
    for (int shift = -1000; shift <= 1000; shift += 500) { /* e^1000 would overflow */
        for (int i = 0; i < 3; i++) l[i] = (float)(log(p[i]) + shift);
        total = 0;
        REQUIRE(score_log_sum(l, 3, &log_sum, NULL));
        for (int i = 0; i < 3; i++) total += exp(l[i] - log_sum);
        CHECK(is_near(total, 1), "sum %.17g", total);
        CHECK(fabs(l[0] - log_sum - log(0.5)) < 2e-4);
    }
}

TEST(logits_without_probabilities_are_refused)
{
    static const float bad[][2] = {
        { NAN, 0 }, { 0, NAN }, { INFINITY, 0 }, { -INFINITY, -INFINITY }
    };
    for (int i = 0; i < 4; i++) {
        double log_sum;
        lory_err err = { 0 };
        CHECK(!score_log_sum(bad[i], 2, &log_sum, &err) && err.code == LORY_E_NAN, "case %d", i);
    }
}

TEST(divergence_is_that_of_the_formula)
{
    static const double p[] = { 0.5, 0.25, 0.25 }, q[] = { 0.25, 0.25, 0.5 };
    float lp[3], lq[3];
    double p_sum, q_sum;
    for (int i = 0; i < 3; i++) lp[i] = (float)log(p[i]) + 7, lq[i] = (float)log(q[i]) - 3;
    REQUIRE(score_log_sum(lp, 3, &p_sum, NULL) && score_log_sum(lq, 3, &q_sum, NULL));
    CHECK(fabs(score_divergence(lp, p_sum, lq, q_sum, 3) - 0.25 * log(2)) < 1e-6);
    CHECK(score_divergence(lp, p_sum, lp, p_sum, 3) == 0);
    lq[0] = -INFINITY;
    REQUIRE(score_log_sum(lq, 3, &q_sum, NULL));
    CHECK(score_divergence(lp, p_sum, lq, q_sum, 3) == INFINITY);
    CHECK(isfinite(score_divergence(lq, q_sum, lp, p_sum, 3)), "0 ln 0 is 0");
}

TEST(standard_error_is_that_of_the_mean)
{
    score_mean m = { 0 };
    CHECK(score_mean_of(&m) == 0 && score_error_of(&m) == 0);
    for (int i = 1; i <= 4; i++) score_add(&m, i);
    CHECK(is_near(score_mean_of(&m), 2.5));
    CHECK(is_near(score_error_of(&m), sqrt(1.25 / 3)));
}

static const logits_shape shape = { .n_vocab = 1500, .window = 64, .n_rows = 3, .ids_hash = 99 };

static const char *write_file(void)
{
    const char *path = test_temp("logits");
    float row[1500];
    file_new f;
    lory_err err = { 0 };
    bool ok = logits_file_create(&f, path, &shape, &err);
    for (int r = 0; ok && r < 3; r++) {
        for (int i = 0; i < 1500; i++) row[i] = (float)(r * 10000 + i) / 7;
        ok = logits_file_put(&f, row, 1500, &err);
    }
    CHECK(ok && file_commit(&f, &err), "%s", err.text);
    return path;
}

TEST(saved_logits_come_back_bit_for_bit)
{
    const char *path = write_file();
    file_map f;
    lory_err err = { 0 };
    float row[1500];
    bool ok = logits_file_open(&f, path, &shape, &err);
    CHECK(ok, "%s", err.text);
    if (!ok) return;
    for (int r = 0; r < 3; r++) {
        logits_file_get(&f, (uint64_t)r, 1500, row);
        for (int i = 0; i < 1500; i++)
            CHECK(row[i] == (float)(r * 10000 + i) / 7, "row %d, %d: %g", r, i, (double)row[i]);
    }
    file_map_close(&f);
}

static void check_refused(const char *path, const logits_shape *want, lory_status code,
                          const char *part)
{
    file_map f;
    lory_err err = { 0 };
    bool ok = logits_file_open(&f, path, want, &err);
    CHECK(!ok && err.code == code && strstr(err.text, part), "%d: %s", err.code, err.text);
    if (ok) file_map_close(&f);
}

TEST(saved_logits_of_another_run_are_refused)
{
    const char *path = write_file();
    logits_shape s = shape;
    s.n_vocab = 1501;
    check_refused(path, &s, LORY_E_ARGUMENT,
                  "another vocabulary (found 1500 tokens, expected 1501)");
    s = shape, s.window = 32;
    check_refused(path, &s, LORY_E_ARGUMENT, "other windows (found -c 64, expected -c 32)");
    s = shape, s.all_tokens = 1;
    check_refused(path, &s, LORY_E_ARGUMENT, "expected -c 64 --all-tokens)");
    s = shape, s.ids_hash = 98;
    check_refused(path, &s, LORY_E_ARGUMENT, "another text");
}

/* Puts bytes at an offset of the file, then cuts it to n_bytes. */
static void spoil(const char *path, long at, const void *bytes, size_t n, long n_bytes)
{
    buf b = { 0 };
    REQUIRE(file_read(path, 1 << 20, &b, NULL));
    memcpy(b.data + at, bytes, n);
    FILE *f = fopen(path, "wb");
    REQUIRE(f);
    CHECK(fwrite(b.data, 1, (size_t)n_bytes, f) == (size_t)n_bytes);
    fclose(f);
    buf_free(&b);
}

TEST(a_spoilt_file_of_logits_is_refused)
{
    const long whole = 64 + 3 * 1500 * 4;
    spoil(write_file(), 0, "G", 1, whole);
    check_refused(test_temp("logits"), &shape, LORY_E_FORMAT, "no file of saved logits");
    spoil(write_file(), 8, "\2", 1, whole);
    check_refused(test_temp("logits"), &shape, LORY_E_UNSUPPORTED, "version 2 (expected 1)");
    spoil(write_file(), 0, "L", 1, whole - 1);
    check_refused(test_temp("logits"), &shape, LORY_E_FORMAT, "does not have the bytes");
    spoil(write_file(), 0, "L", 1, 63);
    check_refused(test_temp("logits"), &shape, LORY_E_FORMAT, "no file of saved logits");
    spoil(write_file(), 16, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, whole);
    check_refused(test_temp("logits"), &shape, LORY_E_FORMAT, "does not have the bytes");
}

TEST(the_hash_tells_texts_apart)
{
    static const lory_token a[] = { 1, 2, 3 }, b[] = { 1, 3, 2 };
    CHECK(logits_hash_ids(a, 3) != logits_hash_ids(b, 3));
    CHECK(logits_hash_ids(a, 3) != logits_hash_ids(a, 2));
    CHECK(logits_hash_ids(a, 0) == 0xcbf29ce484222325);
}
