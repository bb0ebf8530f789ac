/* chat_answer.c - one turn of a talk; see chat.h. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/chat.h"
#include "cli/chat_print.h"
#include "cli/progress.h"
#include <stdlib.h>
#include <string.h>

/* What an answer is made in; `turn` becomes the talk's. */
typedef struct {
    chat *c;
    lory_sampler *sampler;
    lory_tokens prompt;
    buf text; /* of the prompt */
    talk_turn turn;
    chat_printer printer;
    lory_generate_result result;
    bool has_failed; /* no memory, or stdout is gone */
} answer;

size_t chat_used(const chat *c)
{
    return c->talk.ids.n;
}

static bool on_piece(void *user, const lory_piece *piece)
{
    answer *a = user;
    if (piece->id >= 0 && !cli_add_id(&a->turn.ids, piece->id)) a->has_failed = true;
    if (piece->n_text && !buf_put(&a->turn.answer, piece->text, piece->n_text))
        a->has_failed = true;
    if (piece->n_text && !chat_print(&a->printer, piece->text, piece->n_text)) a->has_failed = true;
    return !a->has_failed && !cli_interrupted();
}

/* Each retry of a turn has a seed of its own. */
static lory_sampler *open_sampler(const chat *c, int n_retries, lory_err *err)
{
    sampling_opts o = c->o->settings.sampling;
    uint64_t seed;
    int status;
    o.seed = (o.seed + n_retries) & INT64_MAX;
    return cli_open_sampler(c->m, &o, &seed, &status, err);
}

static bool check_room(const chat *c, size_t n, lory_err *err)
{
    size_t n_ctx = (size_t)lory_session_n_ctx(c->s);
    if (n < n_ctx) return true;
    return err_set(err, LORY_E_FULL,
                   "context: the talk with this text does not fit (found %zu tokens, expected less "
                   "than %zu); /compact drops the oldest turns, /reset all, -c N sets the length",
                   n, n_ctx);
}

static size_t count_common(const lory_session *s, const lory_tokens *ids)
{
    size_t n, i = 0;
    const lory_token *held = lory_session_tokens(s, &n);
    while (i < n && i < ids->n && held[i] == ids->id[i]) i++;
    return i;
}

/* Evaluates the prompt from token `from` on, in a few steps, so that there is something to tell. */
static bool eval_from(const answer *a, size_t from, lory_err *err)
{
    const chat *c = a->c;
    size_t n_step = (size_t)c->o->session.n_batch, n = a->prompt.n;
    progress p;
    bool ok = true;
    lory_session_truncate(c->s, from);
    progress_begin(&p, "prompt", "tokens", n - from, false);
    for (size_t i = from; i < n && ok; i += n_step) {
        ok = lory_session_eval(c->s, a->prompt.id + i, n - i < n_step ? n - i : n_step, err);
        if (ok) progress_at(&p, i + n_step - from);
    }
    progress_end(&p);
    return ok;
}

/* Only what comes after the longest common prefix with what the session holds; the last token at
 * least, for its logits. */
static bool read_prompt(answer *a, lory_err *err)
{
    chat *c = a->c;
    double start_ms = cli_now_ms();
    size_t from = count_common(c->s, &a->prompt);
    if (from == a->prompt.n) from--;
    c->n_prompt = a->prompt.n;
    c->n_evaluated = a->prompt.n - from;
    bool ok = eval_from(a, from, err);
    /* an interrupt of the answer before, which came too late for it */
    if (!ok && err->code == LORY_E_INTERRUPTED && !cli_interrupted()) ok = eval_from(a, from, err);
    c->prompt_ms = cli_now_ms() - start_ms;
    return ok;
}

static bool generate(answer *a, lory_err *err)
{
    chat *c = a->c;
    lory_generate_params p = { .n_predict = c->o->settings.n_predict,
                               .stop = c->stop,
                               .n_stop = c->n_stop };
    a->printer = (chat_printer){ .hides = c->o->settings.hides,
                                 .is_terminal = out_is_terminal(),
                                 .has_colour = out_is_terminal() && !getenv("NO_COLOR") };
    chat_print_begin(&a->printer, a->text.data, a->text.len);
    double start_ms = cli_now_ms();
    bool ok = lory_generate(c->s, a->sampler, &p, on_piece, a, &a->result, err);
    c->generate_ms = cli_now_ms() - start_ms;
    c->n_generated = a->result.n_tokens;
    ok = chat_print_end(&a->printer) && ok;
    if (!c->is_interactive || a->printer.last != '\n') out_put("\n", 1);
    if (a->has_failed || !out_flush())
        return err_set(err, LORY_E_IO, "chat: the answer could not be written or kept");
    return ok;
}

/* Ids of a stop text are no part of the answer: then only the text is known. */
static bool keep_turn(answer *a, const char *user, size_t n, lory_err *err)
{
    talk_turn t = { .ids = a->turn.ids, .n_retries = a->turn.n_retries };
    a->turn.ids = (lory_tokens){ 0 };
    if (a->result.reason == LORY_STOP_TEXT) t.ids.n = 0;
    talk_put_text(&t.answer, a->turn.answer.data, a->turn.answer.len);
    buf_put(&t.user, user, n);
    if (t.answer.failed || t.user.failed) {
        turn_free(&t);
        return err_set(err, LORY_E_MEMORY, "chat: no memory for the talk");
    }
    return talk_add(&a->c->talk, &t, &a->prompt, &a->text, err);
}

/* What a person should know after the answer. */
static void tell(chat *c, const lory_generate_result *result)
{
    enum { WARN_PERCENT = 85 };
    size_t n_ctx = (size_t)lory_session_n_ctx(c->s), n;
    lory_session_tokens(c->s, &n);
    if (result->reason == LORY_STOP_CONTEXT)
        cli_note(
            "context full (%zu tokens): the answer stops here; /compact drops the oldest turns",
            n_ctx);
    else if (result->reason == LORY_STOP_LENGTH)
        cli_note("the answer stops here after %zu tokens (-n)", result->n_tokens);
    else if (n * 100 >= n_ctx * WARN_PERCENT && !c->was_warned)
        cli_note("context nearly full (%zu of %zu tokens): /compact drops the oldest turns", n,
                 n_ctx);
    c->was_warned = n * 100 >= n_ctx * WARN_PERCENT;
}

static bool make_answer(answer *a, const char *user, size_t n, lory_err *err)
{
    chat *c = a->c;
    if (!talk_prompt(&c->talk, user, n, &a->prompt, &a->text, err)) return false;
    if (!check_room(c, a->prompt.n, err)) return false;
    a->sampler = open_sampler(c, a->turn.n_retries, err);
    if (!a->sampler || !read_prompt(a, err) || !generate(a, err)) return false;
    if (a->turn.ids.n == 0 && a->result.reason == LORY_STOP_CALLER)
        return err_set(err, LORY_E_INTERRUPTED, "chat: interrupted");
    return keep_turn(a, user, n, err);
}

bool chat_answer(chat *c, const char *user, size_t n, int n_retries, lory_err *err)
{
    answer a = { .c = c, .turn = { .n_retries = n_retries } };
    bool ok = make_answer(&a, user, n, err);
    if (ok) tell(c, &a.result);
    lory_sampler_free(a.sampler);
    lory_tokens_free(&a.prompt);
    buf_free(&a.text);
    buf_free(&a.printer.held);
    turn_free(&a.turn);
    return ok;
}
