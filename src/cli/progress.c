/* progress.c - see progress.h. */
#include "cli/progress.h"
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

enum { FIRST_MS = 500, REDRAW_MS = 100, LINE_MS = 10000, BAR_WIDTH = 24, LINE_CHARS = 256 };

void progress_begin(progress *p, const char *what, const char *unit, uint64_t total, bool verbose)
{
    bool in_place = err_is_styled();
    *p = (progress){ .what = what,
                     .unit = unit,
                     .total = total,
                     .in_place = in_place,
                     .is_silent = !in_place && !verbose };
    p->start_ms = cli_now_ms();
    p->wait_ms = in_place ? REDRAW_MS : LINE_MS;
    p->next_ms = p->start_ms + (in_place ? FIRST_MS : LINE_MS);
}

/* "[=======>        ] " */
static void put_bar(char *text, double share)
{
    int n_full = (int)(share * BAR_WIDTH);
    text[0] = '[';
    for (int i = 0; i < BAR_WIDTH; i++) text[1 + i] = i < n_full ? '=' : i == n_full ? '>' : ' ';
    memcpy(text + 1 + BAR_WIDTH, "] ", 3);
}

static void put_time(char text[24], double s)
{
    if (s < 90)
        snprintf(text, 24, "%.0f s", s);
    else if (s < 5400)
        snprintf(text, 24, "%.0f min", s / 60);
    else
        snprintf(text, 24, "%.1f h", s / 3600);
}

/* "12%, 3 of 25", perhaps with a bar in front */
static void put_share(const progress *p, uint64_t n_done, double scale, bool with_bar,
                      char text[96])
{
    char bar[BAR_WIDTH + 4] = "";
    double share = (double)n_done / (double)p->total;
    if (with_bar) put_bar(bar, share);
    snprintf(text, 96, "%s%3.0f%%, %.0f of %.0f", bar, 100 * share, (double)n_done * scale,
             (double)p->total * scale);
}

/* "lory: work [=>   ]  12%, 3 of 25 lines, 2 lines/s, 11 s left" */
static void put_line(const progress *p, uint64_t n_done, double now_ms, bool with_bar,
                     char text[LINE_CHARS])
{
    char share[96], left[32] = "", time[24];
    double rate = (double)(n_done - p->first) * 1e3 / (now_ms - p->start_ms);
    bool is_bytes = strcmp(p->unit, "bytes") == 0;
    double scale = is_bytes ? 1e-6 : 1;
    const char *unit = is_bytes ? "MB" : p->unit;
    snprintf(share, sizeof share, "%.0f", (double)n_done * scale);
    if (p->total) put_share(p, n_done, scale, with_bar, share);
    if (p->total && (rate > 0 || n_done == p->total)) { /* else nobody knows */
        put_time(time, rate > 0 ? (double)(p->total - n_done) / rate : 0);
        snprintf(left, sizeof left, ", %s left", time);
    }
    snprintf(text, LINE_CHARS, "lory: %s %s %s, %.4g %s/s%s%s", p->what, share, unit, rate * scale,
             unit, p->note, left);
}

/* A line in place must fit the terminal: what is wrapped can't be drawn over. The bar goes first,
 * then the end. */
static void show(progress *p, uint64_t n_done, double now_ms)
{
    char text[LINE_CHARS];
    size_t n_columns = p->in_place ? (size_t)err_columns() : 0;
    put_line(p, n_done, now_ms, p->in_place, text);
    if (n_columns && strlen(text) >= n_columns) put_line(p, n_done, now_ms, false, text);
    if (n_columns && strlen(text) >= n_columns) text[n_columns - 1] = '\0';
    fprintf(stderr, "%s%s%s", p->in_place ? "\r" : "", text, p->in_place ? "\033[K" : "\n");
    fflush(stderr);
    p->is_shown = true;
}

void progress_at(progress *p, uint64_t n_done)
{
    if (p->is_silent) return;
    double now_ms = cli_now_ms();
    if (now_ms < p->next_ms) return;
    p->next_ms = now_ms + p->wait_ms;
    show(p, p->total && n_done > p->total ? p->total : n_done, now_ms);
}

void progress_end(progress *p)
{
    if (p->is_shown && p->in_place) fputs("\r\033[K", stderr);
    p->is_shown = false;
}

bool progress_on_bytes(void *user, uint64_t n_done, uint64_t n_total)
{
    progress_bytes *p = user;
    if (!p->is_begun) progress_begin(&p->bar, p->what, "bytes", n_total, p->verbose);
    p->is_begun = true;
    progress_at(&p->bar, n_done);
    return !cli_interrupted();
}

void progress_end_bytes(progress_bytes *p)
{
    if (p->is_begun) progress_end(&p->bar);
}
