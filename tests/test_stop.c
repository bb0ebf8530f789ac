/* test_stop.c - stop texts in a stream. */
#include "test.h"
#include "text/stop.h"

/* Puts `text` in pieces of `step` bytes; returns what was shown, and whether a stop was met. */
static bool run(const char *const *stops, size_t n_stop, const char *text, size_t step, buf *shown)
{
    stop_finder f = { .text = stops, .n = n_stop };
    const char *show;
    size_t n_show, n = strlen(text);
    bool met = false;
    buf_clear(shown);
    for (size_t i = 0; i < n && !met; i += step) {
        met = stop_put(&f, text + i, n - i < step ? n - i : step, &show, &n_show);
        buf_put(shown, show, n_show);
    }
    if (!met) {
        stop_flush(&f, &show, &n_show);
        buf_put(shown, show, n_show);
    }
    stop_free(&f);
    return met;
}

TEST(a_stop_text_ends_the_stream_wherever_it_is_cut)
{
    static const char *const stops[] = { "\nUser:", "END" };
    buf b = { 0 };
    for (size_t step = 1; step < 20; step++) {
        CHECK(run(stops, 2, "one two\nUser: three", step, &b));
        CHECK_STR(b.data, "one two");
        CHECK(run(stops, 2, "ENENEND!", step, &b));
        CHECK_STR(b.data, "ENEN");
        CHECK(!run(stops, 2, "almost\nUser", step, &b));
        CHECK_STR(b.data, "almost\nUser");
    }
    buf_free(&b);
}

TEST(the_text_that_is_complete_first_wins)
{
    static const char *const stops[] = { "abcd", "c" };
    buf b = { 0 };
    for (size_t step = 1; step < 6; step++) {
        CHECK(run(stops, 2, "xabcd", step, &b));
        CHECK_STR(b.data, "xab");
    }
    CHECK(run(stops, 2, "c", 1, &b) && b.len == 0);
    buf_free(&b);
}

TEST(nothing_is_held_back_that_cannot_belong_to_a_stop_text)
{
    static const char *const stops[] = { "zz" };
    stop_finder f = { .text = stops, .n = 1 };
    const char *show;
    size_t n_show;
    CHECK(!stop_put(&f, "hello z", 7, &show, &n_show));
    CHECK(n_show == 6 && memcmp(show, "hello ", 6) == 0);
    CHECK(!stop_put(&f, "o", 1, &show, &n_show));
    CHECK(n_show == 2 && memcmp(show, "zo", 2) == 0);
    stop_free(&f);
}

TEST(without_stop_texts_all_is_shown_at_once)
{
    stop_finder f = { 0 };
    const char *show;
    size_t n_show;
    CHECK(!stop_put(&f, "abc", 3, &show, &n_show) && n_show == 3);
    stop_flush(&f, &show, &n_show);
    CHECK(n_show == 0);
    stop_free(&f);
}
