/* chat_talk.h - a talk: its turns, and the tokens that a model must have read to go on.
 *
 * The tokens of an answer are kept as they were drawn. A prompt begins with the tokens of the talk
 * so far wherever the template shows the same text again, so only what is new is evaluated; where
 * it does not (a template that leaves out thinking), the whole text is read anew, as it is after a
 * change of the system text. Undoing, saving and loading give the same tokens; each of them takes
 * time by the length of the talk, and only undoing what was read anew takes more.
 * Layer: cli; no output. */
#ifndef LORY_CLI_CHAT_TALK_H
#define LORY_CLI_CHAT_TALK_H

#include "cli/chat_tools.h"

/* What is answered: one text of a user, or the replies to the calls of the turn before. */
typedef struct {
    buf *text; /* [n] valid UTF-8 */
    size_t n, cap;
    bool is_reply;
} talk_input; /* zeroed = a user's, empty */

typedef struct {
    talk_input input;
    buf answer;       /* as it was written; valid UTF-8 */
    tool_calls calls; /* in it; each has an id */
    buf content;      /* what of it a template is given: without calls, of the final channel; or
                         empty: all of it */
    lory_tokens ids;  /* of the answer; empty: only its text is known */
    int n_retries;    /* how often it was asked for again: a part of its seed */
    bool has_before;  /* what the talk held before is the beginning of what it holds now: */
    size_t n_ids_before, n_text_before;
} talk_turn;

/* What a model has read and drawn, as tokens and as text. */
typedef struct {
    lory_tokens ids; /* empty: not known */
    buf text;
} talk_held; /* zeroed = nothing; free with talk_held_free */

typedef struct {
    const lory_model *m;     /* the caller's */
    const chat_tools *tools; /* the caller's; NULL = none */
    buf template_text;
    const char *template_name; /* the caller's, for messages */
    int64_t now;               /* the template's clock: the time the talk began */
    bool has_system;
    buf system;
    talk_turn *turn; /* [n] */
    size_t n, cap;
    talk_held held; /* of all turns */
} talk;             /* free with talk_free; a zeroed one is empty */

/* Adds a text, with U+FFFD for malformed bytes. */
bool talk_input_add(talk_input *in, const char *s, size_t n, lory_err *err);
void talk_input_free(talk_input *in);

/* The calls that the next input replies to; NULL when it is a user's. */
const tool_calls *talk_awaits(const talk *t);
/* Gives an id to each call that the model gave none: "call00001" and so on, each once in the talk;
 * nine letters and digits, which is what Mistral's templates ask for. */
bool talk_name_calls(const talk *t, tool_calls *calls, lory_err *err);

/* The tokens to read before the answer to an input, appended to *ids, their text to *text. */
bool talk_prompt(const talk *t, const talk_input *in, lory_tokens *ids, buf *text, lory_err *err);
/* The same before an input without text, of the turns from `from` on, as far as it can be said. */
bool talk_measure(const talk *t, size_t from, lory_tokens *ids, lory_err *err);
/* Takes a whole turn, whose buffers become the talk's; ids and text are what talk_prompt gave. On
 * failure the talk and the turn are as they were. */
bool talk_add(talk *t, talk_turn *turn, lory_tokens *ids, buf *text, lory_err *err);
/* Takes the last turn out of the talk, which then holds what it held before, to the byte. Only
 * where the template shows a talk anew is it worked out; when that fails, what is held is not
 * known, which costs reading again. */
bool talk_pop(talk *t, talk_turn *turn, lory_err *err);
/* Puts a turn back that talk_pop took, and what the talk held with it; both become the talk's. */
void talk_unpop(talk *t, talk_turn *turn, talk_held *held);
bool talk_copy_held(const talk *t, talk_held *to, lory_err *err);
/* The turns that go together from turn i on: one, and those that reply to its calls. */
size_t talk_group(const talk *t, size_t i);
/* Drops the first n turns; then as talk_rebuild, but on failure what is held is not known. */
bool talk_drop(talk *t, size_t n, lory_err *err);
/* Reads the text of all turns anew, as after a change of the system text. On failure what is held
 * is as it was. */
bool talk_rebuild(talk *t, lory_err *err);
/* Gives a talk whose turns were read from a file the tokens ids, which become the talk's, and the
 * text, of n_text bytes, that its template makes. False, with both as they were, when they do not
 * go with each other or with the turns. */
bool talk_restore(talk *t, lory_tokens *ids, size_t n_text);
void talk_held_free(talk_held *h);
void turn_free(talk_turn *turn);
void talk_free(talk *t);
/* Appends s[0..n) with U+FFFD for malformed bytes. */
void talk_put_text(buf *out, const char *s, size_t n);

#endif
