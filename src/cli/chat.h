/* chat.h - one run of lory chat: what its files share.
 * Layer: cli. cmd_chat.c opens and closes it; chat_settings.c, chat_answer.c, chat_commands.c and
 * chat_file.c work on it. */
#ifndef LORY_CLI_CHAT_H
#define LORY_CLI_CHAT_H

#include "base/mem.h"
#include "cli/chat_talk.h"
#include "cli/chat_templates.h"
#include "cli/cli.h"
#include "cli/edit.h"

/* What /set changes and a saved talk keeps. */
typedef struct {
    sampling_opts sampling; /* its seed is never -1 once the chat is open */
    int n_predict;
    int hides; /* thinking: 0 show, 1 hide */
} chat_settings;
extern const opt_row chat_setting_rows[];

typedef struct {
    model_opts model;
    session_opts session;
    chat_settings settings;
    const char *system, *template, *tools, *load, *save;
    opt_list stop;
    constraint_opts constraint; /* of each answer */
    const char *stats; /* NULL: none, "": a line of text, "json" */
    bool no_history, no_kv, ignore_eos, verbose;
} chat_opts;

typedef struct {
    chat_opts *o;
    lory_model *m;
    lory_session *s;
    cli_drafter drafter;
    cli_grammar grammar;
    editor edit;
    history history;
    talk talk;
    chat_tools tools;
    talk_input replies; /* to calls of the last answer, as long as some are missing */
    const char **stop;  /* [n_stop] of the options and of the built-in template */
    size_t n_stop;
    mem_arena texts; /* of options that a file brought */
    bool is_open;    /* what a file says no longer goes with the command line */
    bool is_interactive, was_warned; /* that the context is nearly full */
    bool was_told; /* that the talk is longer than the model's texts */
    bool was_kept; /* the last time that it should be, in the file of --save */
    /* of the last answer */
    size_t n_prompt, n_evaluated, n_generated;
    double prompt_ms, generate_ms;
    cli_stats total; /* of all answers */
} chat;

/* ---- chat_answer.c ----------------------------------------------------------------------- */

/* Lets the model answer an input, prints the answer, each tool call in it as a line {"tool_call":
 * {"id", "name", "arguments"}}, and adds the turn, which *in becomes a part of. False when it
 * failed: *err says why, talk and *in are as they were; LORY_E_INTERRUPTED: stopped before the
 * first token. */
bool chat_answer(chat *c, talk_input *in, int n_retries, lory_err *err);
/* Tokens of the context that the talk takes now, when they are known; else 0. */
size_t chat_used(const chat *c);

/* ---- chat_settings.c --------------------------------------------------------------------- */

/* Gives a setting a value as its option would have it; a setting that is wrong stays as it was. */
bool chat_set(chat *c, const char *name, const char *value, lory_err *err);
/* chat_open_template for this chat: with tools a model's own may be another one. */
bool chat_read_template(const chat *c, bool has_tools, buf *text, const chat_builtin **builtin,
                        lory_err *err);
/* What ends an answer: those texts, and what the template needs. On failure nothing changed. */
bool chat_set_stops(chat *c, const opt_list *given, const chat_builtin *b, lory_err *err);

/* ---- chat_commands.c --------------------------------------------------------------------- */

/* Appends the system text that TEXT or @FILE gives to `subject`, an option or a command. */
bool chat_read_system(const char *subject, const char *given, buf *text, lory_err *err);

typedef enum { CHAT_NO_COMMAND, CHAT_DONE, CHAT_FAILED, CHAT_EXIT } chat_outcome;

/* Does what a line that begins with a slash says. CHAT_NO_COMMAND: it is none. CHAT_FAILED: a line
 * on stderr said why. */
chat_outcome chat_command(chat *c, const char *line);

/* ---- chat_file.c ------------------------------------------------------------------------- */

/* The file of a talk, written atomically:
 *   a line {"format": "lory talk", "version": 2, "body": bytes of the second line with its newline,
 *   "hash": their XXH64 in hexadecimal, "kv": bytes after it}
 *   a line with one JSON object:
 *     model       {"name", "fingerprint"}: the talk goes on with this model only
 *     cache_type  of the KV cache
 *     template    XXH64 of the template's text
 *     time        the template's clock, seconds since 1970
 *     system      text or null
 *     settings    {option: number}, those that are not the model's default
 *     logit_bias, stop, dry_breakers  [text] of these options; the last may be missing
 *     tools       the definitions, when there are any
 *     replies     [text] to calls, when some are missing
 *     turns       [{"user": text or "replies": [text], "answer", "retries", "ids": [...], and of an
 *                 answer with calls "content", "calls": [{"id", "name", "arguments"}]; and
 *                 "before": [tokens, bytes] that undoing it leaves of "held"}]
 *     held        {"bytes", "ids": [...]}: the talk as the model has read and drawn it, so that
 *                 nothing need be worked out; empty when that is not known, missing in files of
 *                 before, which are read anew as after a change of the system text
 *   the KV cache, perhaps: lory_session_write_state. Without it, or when it does not fit, the
 *   tokens are evaluated again, to the same bits. */
bool chat_save(const chat *c, const char *path, bool has_kv, lory_err *err);
/* cli_may_write of such a file: whether none of those that the options name would be lost. */
bool chat_may_save(const chat_opts *o, const char *subject, const char *path, lory_err *err);
/* Replaces the talk and its settings; on failure nothing changed. */
bool chat_load(chat *c, const char *path, lory_err *err);
void chat_tell_loaded(const chat *c, const char *path); /* to a person */

#endif
