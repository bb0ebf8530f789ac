/* test_buf.c - appending, growing, failing. */
#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

TEST(buf_appends_and_ends_with_a_nul)
{
    buf b = { 0 };
    CHECK(buf_puts(&b, "one") && buf_putc(&b, ' ') && buf_put(&b, "two\0three", 9));
    CHECK(buf_printf(&b, " %d%s", 4, "!"));
    CHECK(b.len == 16);
    CHECK_SAME(b.data, "one two\0three 4!", 17, "text with its NUL");
    buf_clear(&b);
    CHECK(b.len == 0 && b.cap > 0);
    CHECK_STR(b.data, "");
    buf_free(&b);
    CHECK(b.data == NULL && b.cap == 0 && mem_live_bytes() == 0);
    buf_free(&b);
}

TEST(buf_grows_by_any_steps)
{
    enum { N = 100000 };
    buf b = { 0 };
    for (int i = 0; i < N; i++) buf_putc(&b, (char)('a' + i % 26));
    for (int i = 0; i < 300; i++) buf_printf(&b, "%0*d", i, 0);
    CHECK(!b.failed && b.len == N + 300 * 299 / 2 + 1); /* a width of 0 still gives one digit */
    for (size_t i = 0; i < N; i++)
        if (b.data[i] != (char)('a' + i % 26)) CHECK(false, "byte %zu", i);
    CHECK(b.data[b.len - 1] == '0' && b.data[b.len] == '\0');
    buf_free(&b);
}

TEST(buf_put_of_nothing_gives_an_empty_text)
{
    buf b = { 0 };
    CHECK(buf_put(&b, NULL, 0) && b.len == 0);
    CHECK_STR(b.data, "");
    buf_free(&b);
}

TEST(buf_that_failed_stays_failed_and_keeps_its_text)
{
    buf b = { 0 };
    CHECK(buf_puts(&b, "kept"));
    CHECK(!buf_reserve(&b, SIZE_MAX) && b.failed);
    CHECK(!buf_puts(&b, "x") && !buf_putc(&b, 'x') && !buf_printf(&b, "x"));
    CHECK_STR(b.data, "kept");
    buf_clear(&b);
    CHECK(!b.failed && buf_puts(&b, "new"));
    mem_fail_at(1);
    CHECK(!buf_printf(&b, "%200d", 1) && b.failed);
    mem_fail_at(0);
    CHECK_STR(b.data, "new");
    buf_free(&b);
}
