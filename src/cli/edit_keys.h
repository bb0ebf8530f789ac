/* edit_keys.h - the bytes that a terminal sends, as keys.
 * Layer: cli. Pure: no terminal, no state but one flag of the caller's. */
#ifndef LORY_CLI_EDIT_KEYS_H
#define LORY_CLI_EDIT_KEYS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    KEY_NONE, /* nothing that means something here */
    KEY_TEXT, /* text to insert, in `text` */
    KEY_ENTER,
    KEY_NEWLINE, /* Alt-Enter: a new line in the text */
    KEY_BACKSPACE,
    KEY_DELETE,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_UP,
    KEY_DOWN,
    KEY_HOME, /* of the line; also KEY_END */
    KEY_END,
    KEY_FIRST, /* of the text: Alt-<, Ctrl-Home */
    KEY_LAST,
    KEY_WORD_LEFT,
    KEY_WORD_RIGHT,
    KEY_KILL_WORD_LEFT,
    KEY_KILL_WORD_RIGHT,
    KEY_KILL_TO_END,
    KEY_KILL_TO_HOME,
    KEY_YANK,
    KEY_SWAP,
    KEY_OLDER, /* history: Ctrl-P, Ctrl-N */
    KEY_NEWER,
    KEY_SEARCH,
    KEY_CLEAR,   /* the screen */
    KEY_CANCEL,  /* Ctrl-C */
    KEY_ABORT,   /* Ctrl-G, Esc: ends a search */
    KEY_EOF,     /* Ctrl-D */
    KEY_SUSPEND, /* Ctrl-Z */
} edit_key;

typedef struct {
    edit_key key;
    const char *text; /* [n] valid UTF-8, of KEY_TEXT; points into the bytes or to a constant */
    size_t n;
} edit_event;

/* Reads the first key of s[0..n), n > 0: returns the bytes it took, or 0 when it may go on in
 * bytes still to come; is_all says that none come soon, so then it is never 0. *in_paste is kept
 * by the caller between calls, false at first: between the marks of a bracketed paste every byte
 * is text, in pieces, with CR and CR LF as one \n and other control characters but tabs left out;
 * but a Ctrl-C that nothing follows ends a paste whose last mark was lost. A malformed byte becomes
 * U+FFFD. */
size_t edit_decode(const char *s, size_t n, bool is_all, bool *in_paste, edit_event *e);

#endif
