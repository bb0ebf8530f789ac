/* glm_text.c - see glm_text.h. */
#include "token/glm_text.h"
#include <string.h>

enum { MAX_BLANKS = 80 };

/* A run of blanks: the longest pieces first, a single one stays. */
static void put_blanks(buf *out, size_t n)
{
    while (n > 0) {
        size_t k = n < MAX_BLANKS ? n : MAX_BLANKS;
        if (k == 1)
            buf_putc(out, ' ');
        else
            buf_printf(out, "<|blank_%zu|>", k);
        n -= k;
    }
}

bool glm_text_put(buf *out, const char *s, size_t n)
{
    size_t n_blanks = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ' ') {
            n_blanks++;
            continue;
        }
        put_blanks(out, n_blanks);
        n_blanks = 0;
        if (s[i] == '\n')
            buf_puts(out, "<n>");
        else if (s[i] == '\t')
            buf_puts(out, "<|tab|>");
        else
            buf_putc(out, s[i]);
    }
    put_blanks(out, n_blanks);
    return !out->failed;
}

static bool is(const char *piece, size_t n, const char *text)
{
    return strlen(text) == n && memcmp(piece, text, n) == 0;
}

bool glm_text_put_piece(buf *out, const char *piece, size_t n)
{
    static const char head[] = "<|blank_";
    size_t i = sizeof head - 1, count = 0;
    if (is(piece, n, "<n>")) return buf_putc(out, '\n');
    if (is(piece, n, "<|tab|>")) return buf_putc(out, '\t');
    if (n > i && memcmp(piece, head, i) == 0)
        for (; i < n && piece[i] >= '0' && piece[i] <= '9' && count <= MAX_BLANKS; i++)
            count = count * 10 + (size_t)(piece[i] - '0');
    if (count < 2 || count > MAX_BLANKS || !is(piece + i, n - i, "|>"))
        return buf_put(out, piece, n);
    while (count-- > 0) buf_putc(out, ' ');
    return !out->failed;
}
