/* chat_talk.h - a talk: its turns, and the tokens that a model must have read to go on.
 *
 * The tokens of an answer are kept as they were drawn. A prompt begins with the tokens of the talk
 * so far wherever the template shows the same text again, so only what is new is evaluated; where
 * it does not (a template that leaves out thinking), the whole text is read anew. What is kept
 * follows from the turns alone: undoing, saving and loading give the same tokens.
 * Layer: cli; no output. */
#ifndef LORY_CLI_CHAT_TALK_H
#define LORY_CLI_CHAT_TALK_H

#include "base/buf.h"
#include "lory.h"

typedef struct {
    buf user, answer; /* valid UTF-8 */
    lory_tokens ids;  /* of the answer; empty: only its text is known */
    int n_retries;    /* how often it was asked for again: a part of its seed */
} talk_turn;

typedef struct {
    const lory_model *m; /* the caller's */
    buf template_text;
    const char *template_name; /* the caller's, for messages */
    int64_t now;               /* the template's clock: the time the talk began */
    bool has_system;
    buf system;
    talk_turn *turn; /* [n] */
    size_t n, cap;
    lory_tokens ids; /* read and drawn so far; empty: not known */
    buf text;        /* the same as text */
} talk;              /* free with talk_free; a zeroed one is empty */

/* The tokens to read before the answer to a user's text, appended to *ids, their text to *text. */
bool talk_prompt(const talk *t, const char *user, size_t n, lory_tokens *ids, buf *text,
                 lory_err *err);
/* Takes a whole turn, whose buffers become the talk's; ids and text are what talk_prompt gave. On
 * failure the talk is as it was and the turn is freed. */
bool talk_add(talk *t, talk_turn *turn, lory_tokens *ids, buf *text, lory_err *err);
/* Drops turns [from, from + n) and works out the tokens of what is left. */
bool talk_drop(talk *t, size_t from, size_t n, lory_err *err);
/* Works out the tokens from the turns, as after a change of the system text. On failure they are
 * not known, which costs reading again. */
bool talk_rebuild(talk *t, lory_err *err);
void turn_free(talk_turn *turn);
void talk_free(talk *t);
/* Appends s[0..n) with U+FFFD for malformed bytes. */
void talk_put_text(buf *out, const char *s, size_t n);

#endif
