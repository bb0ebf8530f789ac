/* chat_talk.c - see chat_talk.h. */
#include "cli/chat_talk.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/json.h"
#include <stdio.h>
#include <string.h>

static bool add_ids(lory_tokens *to, const lory_token *id, size_t n, lory_err *err)
{
    if (n == 0) return true;
    if (to->cap - to->n < n) {
        size_t cap = 2 * (to->n + n);
        lory_token *grown = mem_resize(to->id, to->cap, cap, sizeof *grown);
        if (!grown) return err_set(err, LORY_E_MEMORY, "chat: no memory for the talk");
        to->id = grown;
        to->cap = cap;
    }
    memcpy(to->id + to->n, id, n * sizeof *id);
    to->n += n;
    return true;
}

void talk_put_text(buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t n_char = utf8_decode(s + i, n - i, &cp);
        if (cp == UTF8_BAD)
            buf_puts(out, "\xEF\xBF\xBD");
        else
            buf_put(out, s + i, n_char);
        i += n_char;
    }
}

/* ---- the prompt -------------------------------------------------------------------------- */

static chat_text text_of(const buf *b)
{
    return (chat_text){ b->data, b->len };
}

/* calls: those that the input replies to. */
static void put_input(json_writer *w, const talk_input *in, const tool_calls *calls)
{
    for (size_t i = 0; i < in->n; i++)
        if (in->is_reply && i < calls->n)
            chat_put_reply(w, &calls->call[i], text_of(&in->text[i]));
        else
            chat_put_message(w, "user", text_of(&in->text[i]));
}

static void put_answer(json_writer *w, const talk *t, const talk_turn *turn)
{
    if (turn->calls.n > 0 && t->tools && !t->tools->is_raw)
        chat_put_calls(w, t->tools, text_of(&turn->content), &turn->calls);
    else
        chat_put_message(
            w, "assistant",
            text_of(turn->content.len && !turn->calls.n ? &turn->content : &turn->answer));
}

static const tool_calls *calls_before(const talk *t, size_t i)
{
    static const tool_calls none;
    return i > 0 ? &t->turn[i - 1].calls : &none;
}

/* Of the turns [from, to), then the input. */
typedef struct {
    size_t from, to;
    const talk_input *in;
} span;

static void put_variables(const talk *t, const span *s, buf *out)
{
    json_writer w = { out, false };
    json_begin_object(&w);
    json_open_array(&w, "messages");
    if (t->has_system) chat_put_message(&w, "system", text_of(&t->system));
    for (size_t i = s->from; i < s->to; i++) {
        put_input(&w, &t->turn[i].input, calls_before(t, i));
        put_answer(&w, t, &t->turn[i]);
    }
    put_input(&w, s->in, calls_before(t, s->to));
    json_end_array(&w);
    if (t->tools && chat_has_tools(t->tools))
        json_member_raw(&w, "tools", t->tools->text.data, t->tools->text.len);
    json_member_bool(&w, "add_generation_prompt", true);
    json_end_object(&w);
}

static bool render(const talk *t, const span *s, lory_prompt *p, lory_err *err)
{
    buf variables = { 0 };
    lory_template tmpl = { .text = t->template_text.data,
                           .n = t->template_text.len,
                           .name = t->template_name,
                           .now = t->now };
    put_variables(t, s, &variables);
    bool ok = variables.failed
                  ? err_set(err, LORY_E_MEMORY, "chat: no memory for the talk")
                  : lory_render_template(t->m, &tmpl, variables.data, variables.len, p, err);
    buf_free(&variables);
    return ok;
}

/* The part of a prompt's text that the talk's tokens already stand for. */
static bool tokenize_held(const talk *t, const lory_prompt *p, lory_tokens *held, lory_err *err)
{
    lory_prompt part = { .text = p->text, .n = t->held.text.len, .plain = p->plain };
    while (part.n_plain < p->n_plain && p->plain[part.n_plain].end <= part.n) part.n_plain++;
    return lory_tokenize_prompt(t->m, &part, held, err);
}

/* Whether the text goes on from the talk's at a border of tokens: then *n_skip of its tokens
 * stand for what is held. */
static bool goes_on(const talk *t, const lory_prompt *p, const lory_tokens *all, size_t *n_skip)
{
    lory_tokens held = { 0 };
    if (t->held.ids.n == 0 || p->n < t->held.text.len
        || memcmp(p->text, t->held.text.data, t->held.text.len) != 0)
        return false;
    /* a border in the middle of what a user or the model wrote is none */
    for (size_t i = 0; i < p->n_plain; i++)
        if (p->plain[i].start < t->held.text.len && p->plain[i].end > t->held.text.len)
            return false;
    bool ok = tokenize_held(t, p, &held, NULL) && held.n <= all->n
              && memcmp(held.id, all->id, held.n * sizeof *held.id) == 0;
    *n_skip = held.n;
    lory_tokens_free(&held);
    return ok;
}

/* The prompt that ends with the input of turn s->to. */
static bool prompt_at(const talk *t, const span *s, lory_tokens *ids, buf *text, lory_err *err)
{
    lory_prompt p = { 0 };
    lory_tokens all = { 0 };
    size_t n_skip = 0;
    if (!render(t, s, &p, err)) return false;
    bool ok = lory_tokenize_prompt(t->m, &p, &all, err);
    if (ok && s->from == 0 && goes_on(t, &p, &all, &n_skip))
        ok = add_ids(ids, t->held.ids.id, t->held.ids.n, err);
    if (ok && all.n > n_skip) ok = add_ids(ids, all.id + n_skip, all.n - n_skip, err);
    if (ok && ids->n == 0)
        ok =
            err_set(err, LORY_E_FORMAT, "%s: the template gives an empty prompt", t->template_name);
    if (ok && !buf_put(text, p.text, p.n)) ok = err_set(err, LORY_E_MEMORY, "chat: no memory");
    lory_tokens_free(&all);
    lory_prompt_free(&p);
    return ok;
}

bool talk_prompt(const talk *t, const talk_input *in, lory_tokens *ids, buf *text, lory_err *err)
{
    const span all = { 0, t->n, in };
    return prompt_at(t, &all, ids, text, err);
}

bool talk_measure(const talk *t, size_t from, lory_tokens *ids, lory_err *err)
{
    const tool_calls *awaited = talk_awaits(t);
    talk_input in = { .is_reply = awaited != NULL };
    const span at = { from, t->n, &in };
    buf text = { 0 };
    bool ok = true;
    for (size_t i = 0; ok && i < (awaited ? awaited->n : 1); i++)
        ok = talk_input_add(&in, "", 0, err);
    ok = ok && prompt_at(t, &at, ids, &text, err);
    buf_free(&text);
    talk_input_free(&in);
    return ok;
}

/* ---- turns ------------------------------------------------------------------------------- */

bool talk_input_add(talk_input *in, const char *s, size_t n, lory_err *err)
{
    if (in->n == in->cap) {
        size_t cap = in->cap ? 2 * in->cap : 1;
        buf *grown = mem_resize(in->text, in->cap, cap, sizeof *grown);
        if (!grown) return err_set(err, LORY_E_MEMORY, "chat: no memory for the text");
        in->text = grown;
        in->cap = cap;
    }
    in->text[in->n] = (buf){ 0 };
    talk_put_text(&in->text[in->n++], s, n);
    return !in->text[in->n - 1].failed
           || err_set(err, LORY_E_MEMORY, "chat: no memory for the text");
}

void talk_input_free(talk_input *in)
{
    for (size_t i = 0; i < in->n; i++) buf_free(&in->text[i]);
    mem_free(in->text);
    *in = (talk_input){ 0 };
}

const tool_calls *talk_awaits(const talk *t)
{
    return t->n > 0 && t->turn[t->n - 1].calls.n > 0 ? &t->turn[t->n - 1].calls : NULL;
}

/* The highest number of an id that is ours. */
static unsigned last_call_number(const talk *t)
{
    unsigned last = 0, v;
    int n_read;
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->turn[i].calls.n; k++) {
            const buf *id = &t->turn[i].calls.call[k].id;
            bool is_ours =
                id->len == 9 && sscanf(id->data, "call%5u%n", &v, &n_read) == 1 && n_read == 9;
            if (is_ours && v > last) last = v;
        }
    return last;
}

bool talk_name_calls(const talk *t, tool_calls *calls, lory_err *err)
{
    unsigned number = last_call_number(t);
    for (size_t i = 0; i < calls->n; i++)
        if (calls->call[i].id.len == 0
            && !buf_printf(&calls->call[i].id, "call%05u", ++number % 100000))
            return err_set(err, LORY_E_MEMORY, "chat: no memory for a tool call");
    return true;
}

size_t talk_group(const talk *t, size_t i)
{
    size_t n = 1;
    while (i + n < t->n && t->turn[i + n].input.is_reply) n++;
    return n;
}

void turn_free(talk_turn *turn)
{
    talk_input_free(&turn->input);
    tool_calls_free(&turn->calls);
    buf_free(&turn->content);
    buf_free(&turn->answer);
    lory_tokens_free(&turn->ids);
    *turn = (talk_turn){ 0 };
}

/* ---- what is held ------------------------------------------------------------------------ */

void talk_held_free(talk_held *h)
{
    lory_tokens_free(&h->ids);
    buf_free(&h->text);
    *h = (talk_held){ 0 };
}

bool talk_copy_held(const talk *t, talk_held *to, lory_err *err)
{
    *to = (talk_held){ 0 };
    if (add_ids(&to->ids, t->held.ids.id, t->held.ids.n, err)) {
        if (t->held.text.len == 0 || buf_put(&to->text, t->held.text.data, t->held.text.len))
            return true;
        err_set(err, LORY_E_MEMORY, "chat: no memory for the talk");
    }
    talk_held_free(to);
    return false;
}

static void forget_ids(talk *t)
{
    t->held.ids.n = 0;
    buf_clear(&t->held.text);
}

/* Notes how to go back, before ids and text take the place of what is held. */
static void note_before(const talk *t, const lory_tokens *ids, const buf *text, talk_turn *turn)
{
    turn->n_ids_before = t->held.ids.n;
    turn->n_text_before = t->held.text.len;
    turn->has_before = t->held.ids.n > 0 && t->held.ids.n <= ids->n && t->held.text.len <= text->len
                       && memcmp(t->held.ids.id, ids->id, t->held.ids.n * sizeof *ids->id) == 0
                       && memcmp(t->held.text.data, text->data, t->held.text.len) == 0;
}

/* What is read and drawn after a turn: its prompt, then the answer. */
static bool hold(talk *t, talk_turn *turn, lory_tokens *ids, buf *text, lory_err *err)
{
    bool is_known = turn->ids.n > 0;
    if (is_known && !add_ids(ids, turn->ids.id, turn->ids.n, err)) return false;
    if (is_known && !buf_put(text, turn->answer.data, turn->answer.len))
        return err_set(err, LORY_E_MEMORY, "chat: no memory for the talk");
    note_before(t, ids, text, turn);
    talk_held_free(&t->held);
    t->held = (talk_held){ *ids, *text };
    *ids = (lory_tokens){ 0 };
    *text = (buf){ 0 };
    if (!is_known) forget_ids(t);
    return true;
}

static bool make_room(talk *t, lory_err *err)
{
    if (t->n < t->cap) return true;
    size_t cap = t->cap ? 2 * t->cap : 16;
    talk_turn *grown = mem_resize(t->turn, t->cap, cap, sizeof *grown);
    if (!grown) return err_set(err, LORY_E_MEMORY, "chat: no memory for the talk");
    t->turn = grown;
    t->cap = cap;
    return true;
}

bool talk_add(talk *t, talk_turn *turn, lory_tokens *ids, buf *text, lory_err *err)
{
    if (!make_room(t, err) || !hold(t, turn, ids, text, err)) return false;
    t->turn[t->n++] = *turn;
    *turn = (talk_turn){ 0 };
    return true;
}

/* Works out what is held after turns [from, n) from what is held before them. */
static bool hold_from(talk *t, size_t from, lory_err *err)
{
    bool ok = true;
    for (size_t i = from; i < t->n && ok; i++) {
        talk_turn *turn = &t->turn[i];
        const span at = { 0, i, &turn->input };
        lory_tokens ids = { 0 };
        buf text = { 0 };
        ok = prompt_at(t, &at, &ids, &text, err) && hold(t, turn, &ids, &text, err);
        lory_tokens_free(&ids);
        buf_free(&text);
    }
    return ok;
}

bool talk_rebuild(talk *t, lory_err *err)
{
    talk_held before = t->held;
    t->held = (talk_held){ 0 };
    bool ok = hold_from(t, t->n > 0 ? t->n - 1 : 0, err);
    for (size_t i = 0; i < t->n && ok; i++) t->turn[i].has_before = false;
    talk_held_free(ok ? &before : &t->held);
    if (!ok) t->held = before;
    return ok;
}

/* The last turn whose prompt was read from the start; all later ones went on from it. */
static size_t last_start(const talk *t)
{
    size_t i = t->n;
    while (i > 0 && t->turn[--i].has_before) {}
    return i;
}

bool talk_pop(talk *t, talk_turn *turn, lory_err *err)
{
    *turn = t->turn[--t->n];
    if (turn->has_before && t->held.ids.n > 0) {
        t->held.ids.n = turn->n_ids_before;
        t->held.text.len = turn->n_text_before;
        return true;
    }
    forget_ids(t);
    if (hold_from(t, last_start(t), err)) return true;
    forget_ids(t);
    return false;
}

void talk_unpop(talk *t, talk_turn *turn, talk_held *held)
{
    t->turn[t->n++] = *turn;
    talk_held_free(&t->held);
    t->held = *held;
    *turn = (talk_turn){ 0 };
    *held = (talk_held){ 0 };
}

bool talk_drop(talk *t, size_t n, lory_err *err)
{
    for (size_t i = 0; i < n; i++) turn_free(&t->turn[i]);
    for (size_t i = n; i < t->n; i++) t->turn[i - n] = t->turn[i];
    t->n -= n;
    if (talk_rebuild(t, err)) return true;
    forget_ids(t);
    return false;
}

/* Whether undoing one turn after the other cuts off a part of what is left each time. */
static bool are_cuts_in_order(const talk *t, size_t n_ids, size_t n_text)
{
    if (t->turn[0].has_before) return false;
    for (size_t i = t->n; i > 0 && t->turn[i - 1].has_before; i--) {
        const talk_turn *turn = &t->turn[i - 1];
        if (turn->n_ids_before > n_ids || turn->n_text_before > n_text) return false;
        n_ids = turn->n_ids_before;
        n_text = turn->n_text_before;
    }
    return true;
}

bool talk_restore(talk *t, lory_tokens *ids, size_t n_text)
{
    const talk_turn *last = t->n > 0 ? &t->turn[t->n - 1] : NULL;
    if (!last || ids->n == 0) return ids->n == 0;
    const span at = { 0, t->n - 1, &last->input };
    lory_prompt p = { 0 };
    buf text = { 0 };
    bool ok = are_cuts_in_order(t, ids->n, n_text) && render(t, &at, &p, NULL)
              && buf_put(&text, p.text, p.n) && buf_put(&text, last->answer.data, last->answer.len)
              && text.len == n_text;
    lory_prompt_free(&p);
    if (!ok) {
        buf_free(&text);
        return false;
    }
    talk_held_free(&t->held);
    t->held = (talk_held){ *ids, text };
    *ids = (lory_tokens){ 0 };
    return true;
}

void talk_free(talk *t)
{
    for (size_t i = 0; i < t->n; i++) turn_free(&t->turn[i]);
    mem_free(t->turn);
    buf_free(&t->template_text);
    buf_free(&t->system);
    talk_held_free(&t->held);
    *t = (talk){ 0 };
}
