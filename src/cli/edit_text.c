/* edit_text.c - see edit_text.h. */
#include "cli/edit_text.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "text/width.h"
#include <string.h>

/* ---- the text ---------------------------------------------------------------------------- */

static void set_text(edit_text *t, const char *s, size_t n)
{
    buf_clear(&t->text);
    buf_put(&t->text, s, n);
    t->at = t->text.len;
}

static void insert(edit_text *t, const char *s, size_t n)
{
    size_t n_after = t->text.len - t->at;
    if (n == 0 || !buf_put(&t->text, s, n)) return; /* s is a key's text: not in this buffer */
    char *gap = t->text.data + t->at;
    memmove(gap + n, gap, n_after);
    memcpy(gap, s, n);
    t->at += n;
}

/* Removes [from, to) and leaves the cursor there. */
static void erase(edit_text *t, size_t from, size_t to)
{
    if (from >= to) return;
    memmove(t->text.data + from, t->text.data + to, t->text.len - to);
    t->text.len -= to - from;
    t->text.data[t->text.len] = 0;
    t->at = from;
}

/* The same, to be put back by Ctrl-Y; cuts one after another add up. */
static void cut(edit_text *t, size_t from, size_t to, bool goes_on)
{
    buf b = { 0 };
    if (from >= to) return;
    bool is_before = to == t->at;
    if (goes_on && !is_before) buf_put(&b, t->cut.data, t->cut.len);
    buf_put(&b, t->text.data + from, to - from);
    if (goes_on && is_before) buf_put(&b, t->cut.data, t->cut.len);
    buf_free(&t->cut);
    t->cut = b;
    t->was_cut = true;
    erase(t, from, to);
}

/* ---- places ------------------------------------------------------------------------------ */

static size_t line_start(const edit_text *t, size_t at)
{
    while (at > 0 && t->text.data[at - 1] != '\n') at--;
    return at;
}

static size_t line_end(const edit_text *t, size_t at)
{
    while (at < t->text.len && t->text.data[at] != '\n') at++;
    return at;
}

static size_t step_right(const edit_text *t, size_t at)
{
    return at < t->text.len ? at + width_step(t->text.data + at, t->text.len - at) : at;
}

/* Steps are known from the start of a line only. */
static size_t step_left(const edit_text *t, size_t at)
{
    if (at == 0) return 0;
    size_t from = line_start(t, at), before = from;
    if (from == at) return at - 1;
    while (from < at) {
        before = from;
        from = step_right(t, from);
    }
    return before;
}

static bool is_word_at(const edit_text *t, size_t at)
{
    uint32_t cp;
    utf8_decode(t->text.data + at, t->text.len - at, &cp);
    return (unicode_bits(cp) & (UNICODE_L | UNICODE_M | UNICODE_N)) || cp == '_';
}

/* Where the last word of [from, to), a part of one line, begins; `to` when there is none. */
static size_t last_word(const edit_text *t, size_t from, size_t to)
{
    size_t begin = to;
    bool was_word = false;
    for (size_t i = from; i < to; i = step_right(t, i)) {
        bool is_word = is_word_at(t, i);
        if (is_word && !was_word) begin = i;
        was_word = is_word;
    }
    return begin;
}

/* Line by line, since steps are known from the start of a line only. */
static size_t word_left(const edit_text *t, size_t at)
{
    for (;;) {
        size_t start = line_start(t, at), begin = last_word(t, start, at);
        if (begin < at || start == 0) return begin < at ? begin : 0;
        at = start - 1;
    }
}

static size_t word_right(const edit_text *t, size_t at)
{
    while (at < t->text.len && !is_word_at(t, at)) at = step_right(t, at);
    while (at < t->text.len && is_word_at(t, at)) at = step_right(t, at);
    return at;
}

/* The start of the word before, words being what blanks separate: Ctrl-W. */
static size_t blank_word_left(const edit_text *t, size_t at)
{
    while (at > 0 && strchr(" \t\n", t->text.data[at - 1])) at--;
    while (at > 0 && !strchr(" \t\n", t->text.data[at - 1])) at--;
    return at;
}

static int columns_between(const edit_text *t, size_t from, size_t to)
{
    int n = 0;
    for (size_t i = from; i < to;) {
        uint32_t cp;
        i += utf8_decode(t->text.data + i, t->text.len - i, &cp);
        n += width_of(cp);
    }
    return n;
}

static int column_of(const edit_text *t, size_t at)
{
    return columns_between(t, line_start(t, at), at);
}

/* The place in the line that begins at `from` that is nearest below the column. */
static size_t at_column(const edit_text *t, size_t from, int column)
{
    size_t end = line_end(t, from), at = from;
    for (int reached = 0; at < end && reached < column;) {
        size_t next = step_right(t, at);
        reached += columns_between(t, at, next);
        at = next;
    }
    return at;
}

/* ---- history ----------------------------------------------------------------------------- */

static size_t n_entries(const edit_text *t)
{
    return t->history ? t->history->n : 0;
}

static void show_entry(edit_text *t, size_t i)
{
    if (t->i_entry == n_entries(t)) {
        buf_clear(&t->written);
        buf_put(&t->written, t->text.data, t->text.len);
    }
    t->i_entry = i;
    if (i < n_entries(t))
        set_text(t, t->history->entry[i], strlen(t->history->entry[i]));
    else
        set_text(t, t->written.data, t->written.len);
}

static void older(edit_text *t)
{
    if (t->i_entry > 0) show_entry(t, t->i_entry - 1);
}

static void newer(edit_text *t)
{
    if (t->i_entry < n_entries(t)) show_entry(t, t->i_entry + 1);
}

static void line_up(edit_text *t)
{
    size_t start = line_start(t, t->at);
    if (start == 0)
        older(t);
    else
        t->at = at_column(t, line_start(t, start - 1), column_of(t, t->at));
}

static void line_down(edit_text *t)
{
    size_t end = line_end(t, t->at);
    if (end == t->text.len)
        newer(t);
    else
        t->at = at_column(t, end + 1, column_of(t, t->at));
}

/* ---- search ------------------------------------------------------------------------------ */

/* Goes to the newest entry before `limit` that holds the query. */
static void search_before(edit_text *t, size_t limit)
{
    t->has_found = false;
    for (size_t i = limit; i-- > 0 && t->query.len;) {
        if (!strstr(t->history->entry[i], t->query.data)) continue;
        t->i_found = i;
        t->has_found = true;
        return;
    }
}

static void begin_search(edit_text *t)
{
    if (n_entries(t) == 0) return;
    buf_clear(&t->query);
    t->is_searching = true;
    t->has_found = false;
    t->i_found = n_entries(t);
}

static void end_search(edit_text *t, bool takes)
{
    t->is_searching = false;
    if (takes && t->has_found) show_entry(t, t->i_found);
}

static void shorten_query(edit_text *t)
{
    size_t n = t->query.len;
    while (n > 0 && ((unsigned char)t->query.data[--n] & 0xC0) == 0x80) {
    }
    if (t->query.len) t->query.data[t->query.len = n] = 0;
    search_before(t, n_entries(t));
}

/* True when the key was the search's own. */
static bool search_key(edit_text *t, const edit_event *e)
{
    switch (e->key) {
    case KEY_NONE: return true;
    case KEY_TEXT:
        buf_put(&t->query, e->text, e->n);
        search_before(t, t->has_found ? t->i_found + 1 : n_entries(t));
        return true;
    case KEY_SEARCH:
        if (t->has_found) {
            size_t i = t->i_found;
            search_before(t, i);
            if (!t->has_found) t->i_found = i, t->has_found = true;
        }
        return true;
    case KEY_BACKSPACE: shorten_query(t); return true;
    case KEY_ABORT:
    case KEY_CANCEL: end_search(t, false); return true;
    default: end_search(t, true); return false;
    }
}

/* ---- keys -------------------------------------------------------------------------------- */

static edit_result enter(edit_text *t)
{
    size_t n_slashes = 0;
    while (n_slashes < t->text.len && t->text.data[t->text.len - 1 - n_slashes] == '\\')
        n_slashes++;
    if (n_slashes % 2 == 0) return EDIT_LINE;
    t->at = t->text.len;
    erase(t, t->at - 1, t->at);
    insert(t, "\n", 1);
    return EDIT_MORE;
}

static void swap(edit_text *t)
{
    if (t->text.len == 0) return;
    size_t mid = t->at == t->text.len ? step_left(t, t->at) : t->at;
    size_t left = step_left(t, mid), right = step_right(t, mid);
    buf b = { 0 };
    if (mid == 0 || t->text.data[left] == '\n' || t->text.data[mid] == '\n') return;
    buf_put(&b, t->text.data + left, mid - left);
    memmove(t->text.data + left, t->text.data + mid, right - mid);
    if (!b.failed) memcpy(t->text.data + left + (right - mid), b.data, b.len);
    t->at = right;
    buf_free(&b);
}

static edit_result eof(edit_text *t)
{
    if (t->text.len == 0) return EDIT_END;
    erase(t, t->at, step_right(t, t->at));
    return EDIT_MORE;
}

static void move(edit_text *t, edit_key key)
{
    switch (key) {
    case KEY_LEFT: t->at = step_left(t, t->at); break;
    case KEY_RIGHT: t->at = step_right(t, t->at); break;
    case KEY_UP: line_up(t); break;
    case KEY_DOWN: line_down(t); break;
    case KEY_HOME: t->at = line_start(t, t->at); break;
    case KEY_END: t->at = line_end(t, t->at); break;
    case KEY_FIRST: t->at = 0; break;
    case KEY_LAST: t->at = t->text.len; break;
    case KEY_WORD_LEFT: t->at = word_left(t, t->at); break;
    case KEY_WORD_RIGHT: t->at = word_right(t, t->at); break;
    case KEY_OLDER: older(t); break;
    case KEY_NEWER: newer(t); break;
    default: break;
    }
}

static void remove_part(edit_text *t, edit_key key, bool goes_on)
{
    size_t end = line_end(t, t->at), start = line_start(t, t->at), at = t->at;
    switch (key) {
    case KEY_BACKSPACE: erase(t, step_left(t, at), at); break;
    case KEY_DELETE: erase(t, at, step_right(t, at)); break;
    case KEY_KILL_WORD_LEFT: cut(t, blank_word_left(t, at), at, goes_on); break;
    case KEY_KILL_WORD_RIGHT: cut(t, at, word_right(t, at), goes_on); break;
    /* at the end of a line its newline goes */
    case KEY_KILL_TO_END: cut(t, at, end == at ? step_right(t, at) : end, goes_on); break;
    case KEY_KILL_TO_HOME: cut(t, start == at ? step_left(t, at) : start, at, goes_on); break;
    default: break;
    }
}

edit_result edit_text_key(edit_text *t, const edit_event *e)
{
    bool goes_on = t->was_cut;
    if (t->is_searching && search_key(t, e)) return EDIT_MORE;
    t->was_cut = false;
    switch (e->key) {
    case KEY_TEXT: insert(t, e->text, e->n); break;
    case KEY_NEWLINE: insert(t, "\n", 1); break;
    case KEY_YANK: insert(t, t->cut.data, t->cut.len); break;
    case KEY_SWAP: swap(t); break;
    case KEY_SEARCH: begin_search(t); break;
    case KEY_ENTER: return enter(t);
    case KEY_CANCEL: return EDIT_CANCEL;
    case KEY_EOF: return eof(t);
    case KEY_CLEAR: return EDIT_CLEAR;
    case KEY_SUSPEND: return EDIT_SUSPEND;
    case KEY_BACKSPACE:
    case KEY_DELETE:
    case KEY_KILL_WORD_LEFT:
    case KEY_KILL_WORD_RIGHT:
    case KEY_KILL_TO_END:
    case KEY_KILL_TO_HOME: remove_part(t, e->key, goes_on); break;
    default: move(t, e->key);
    }
    return EDIT_MORE;
}

void edit_text_begin(edit_text *t)
{
    set_text(t, "", 0);
    t->i_entry = n_entries(t);
    t->is_searching = t->was_cut = false;
}

void edit_text_free(edit_text *t)
{
    buf_free(&t->text);
    buf_free(&t->cut);
    buf_free(&t->written);
    buf_free(&t->query);
    *t = (edit_text){ 0 };
}
