/* stop.c - see stop.h. */
#include "text/stop.h"
#include <string.h>

/* Forgets what the last call handed out. */
static void drop_shown(stop_finder *f)
{
    f->held.len -= f->n_shown;
    if (f->held.len) memmove(f->held.data, f->held.data + f->n_shown, f->held.len);
    f->n_shown = 0;
}

static void show_first(stop_finder *f, size_t n, const char **show, size_t *n_show)
{
    *show = f->held.data;
    *n_show = f->n_shown = n;
}

/* Whether a text ends before held[end]; *start gets where the longest of them begins. */
static bool ends_at(const stop_finder *f, size_t end, size_t *start)
{
    size_t longest = 0;
    for (size_t i = 0; i < f->n; i++) {
        size_t n = strlen(f->text[i]);
        if (n > longest && n <= end && memcmp(f->held.data + end - n, f->text[i], n) == 0)
            longest = n;
    }
    *start = end - longest;
    return longest > 0;
}

/* Whether what is held from `at` on is the beginning of a text. */
static bool may_begin_at(const stop_finder *f, size_t at)
{
    size_t n_left = f->held.len - at;
    for (size_t i = 0; i < f->n; i++)
        if (strlen(f->text[i]) > n_left && memcmp(f->held.data + at, f->text[i], n_left) == 0)
            return true;
    return false;
}

bool stop_put(stop_finder *f, const char *bytes, size_t n, const char **show, size_t *n_show)
{
    size_t start, at = 0;
    drop_shown(f);
    *show = "";
    *n_show = 0;
    if (!buf_put(&f->held, bytes, n)) return false;
    for (size_t end = f->held.len - n + 1; end <= f->held.len; end++)
        if (ends_at(f, end, &start)) {
            show_first(f, start, show, n_show);
            return true;
        }
    while (at < f->held.len && !may_begin_at(f, at)) at++;
    show_first(f, at, show, n_show);
    return false;
}

void stop_flush(stop_finder *f, const char **show, size_t *n_show)
{
    drop_shown(f);
    show_first(f, f->held.len, show, n_show);
    if (!*show) *show = "";
}

void stop_free(stop_finder *f)
{
    buf_free(&f->held);
    f->n_shown = 0;
}
