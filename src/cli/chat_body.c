/* chat_body.c - see chat_body.h. What is read is built aside and takes the place of the talk when
 * it is whole. */
#include "cli/chat_body.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "text/json.h"
#include <inttypes.h>
#include <limits.h>
#include <string.h>

static hash64_text template_hash(const talk *t)
{
    return hash64_digits(hash64_of(t->template_text.data, t->template_text.len, 0));
}

/* ---- writing ----------------------------------------------------------------------------- */

static void put_bytes(json_writer *w, const char *key, const buf *b)
{
    json_member_bytes(w, key, b->data, b->len);
}

static void put_settings(json_writer *w, const chat_settings *s)
{
    json_begin_object(w);
    json_member_int(w, "seed", s->sampling.seed);
    json_member_int(w, "predict", s->n_predict);
    for (const opt_row *r = sampling_rows; r->kind != OPT_END; r++) {
        const void *x = cli_sampling_number(&s->sampling, r);
        if (!x) continue;
        json_put_key(w, r->name);
        if (r->kind == OPT_INT)
            json_put_int(w, *(const int *)x);
        else
            json_put_f32(w, *(const float *)x);
    }
    json_end_object(w);
}

static void put_texts(json_writer *w, const char *key, const talk_input *in)
{
    json_open_array(w, key);
    for (size_t i = 0; i < in->n; i++)
        json_put_bytes(w, in->text[i].data, in->text[i].len);
    json_end_array(w);
}

static void put_list(json_writer *w, const char *key, const opt_list *list)
{
    json_open_array(w, key);
    for (size_t i = 0; i < list->n; i++) json_put_bytes(w, list->item[i], strlen(list->item[i]));
    json_end_array(w);
}

static void put_calls(json_writer *w, const tool_calls *calls)
{
    json_open_array(w, "calls");
    for (size_t i = 0; i < calls->n; i++) {
        const tool_call *c = &calls->call[i];
        json_begin_object(w);
        put_bytes(w, "id", &c->id);
        put_bytes(w, "name", &c->name);
        json_member_raw(w, "arguments", c->arguments.data, c->arguments.len);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_ids(json_writer *w, const lory_tokens *ids)
{
    json_open_array(w, "ids");
    for (size_t i = 0; i < ids->n; i++) json_put_int(w, ids->id[i]);
    json_end_array(w);
}

static void put_turn(json_writer *w, const talk_turn *t)
{
    json_begin_object(w);
    if (t->input.is_reply)
        put_texts(w, "replies", &t->input);
    else
        put_bytes(w, "user", &t->input.text[0]);
    put_bytes(w, "answer", &t->answer);
    if (t->content.len > 0 || t->calls.n > 0) put_bytes(w, "content", &t->content);
    if (t->calls.n > 0) put_calls(w, &t->calls);
    json_member_int(w, "retries", t->n_retries);
    put_ids(w, &t->ids);
    if (t->has_before) {
        json_open_array(w, "before");
        json_put_int(w, (int64_t)t->n_ids_before);
        json_put_int(w, (int64_t)t->n_text_before);
        json_end_array(w);
    }
    json_end_object(w);
}

static void put_held(json_writer *w, const talk_held *h)
{
    json_open_object(w, "held");
    json_member_int(w, "bytes", (int64_t)h->text.len);
    put_ids(w, &h->ids);
    json_end_object(w);
}

/* Of the model and what adapts it. */
static hash64_text model_hash(const chat *c)
{
    const lora_opts *l = &c->o->session.lora;
    return hash64_digits(lory_fingerprint(c->m, l->use, l->n));
}

void chat_put_body(const chat *c, buf *out)
{
    json_writer w = { out, false };
    lory_model_info info;
    lory_model_get_info(c->m, &info);
    json_begin_object(&w);
    json_open_object(&w, "model");
    json_member_str(&w, "name", info.name);
    json_member_str(&w, "fingerprint", model_hash(c).text);
    json_end_object(&w);
    json_member_str(&w, "cache_type", cli_cache_types[c->o->session.cache_type]);
    json_member_str(&w, "template", template_hash(&c->talk).text);
    json_member_int(&w, "time", c->talk.now);
    json_put_key(&w, "system");
    if (c->talk.has_system)
        json_put_bytes(&w, c->talk.system.data, c->talk.system.len);
    else
        json_put_null(&w);
    json_put_key(&w, "settings");
    put_settings(&w, &c->o->settings);
    put_list(&w, "logit_bias", &c->o->settings.sampling.logit_bias);
    put_list(&w, "dry_breakers", &c->o->settings.sampling.dry_breakers);
    put_list(&w, "stop", &c->o->stop);
    if (chat_has_tools(&c->tools)) {
        json_member_raw(&w, "tools", c->tools.text.data, c->tools.text.len);
        put_texts(&w, "replies", &c->replies);
    }
    json_open_array(&w, "turns");
    for (size_t i = 0; i < c->talk.n; i++) put_turn(&w, &c->talk.turn[i]);
    json_end_array(&w);
    put_held(&w, &c->talk.held);
    json_end_object(&w);
    buf_putc(out, '\n');
}

/* ---- reading ----------------------------------------------------------------------------- */

typedef struct {
    const char *path;
    lory_err *err;
} reader;

static bool wrong(const reader *r, const char *what)
{
    return err_set(r->err, LORY_E_FORMAT, "%s: %s", r->path, what);
}

static bool read_text(const reader *r, const json *j, buf *out)
{
    const char *s;
    size_t n;
    if (!json_get_str(j, &s, &n)) return wrong(r, "a text of the talk is missing");
    return buf_put(out, s, n) || err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
}

static bool read_ids(const reader *r, const json *j, int n_vocab, lory_tokens *ids)
{
    if (!j || j->type != JSON_ARRAY) return wrong(r, "the tokens of an answer are missing");
    for (const json *e = j->first; e; e = e->next) {
        int64_t v;
        if (!json_get_int(e, &v) || v < 0 || v >= n_vocab)
            return wrong(r, "a token of an answer is none of the model's");
        if (!cli_add_id(ids, (lory_token)v))
            return err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
    }
    return true;
}

static bool read_texts(const reader *r, const json *j, talk_input *in)
{
    const char *s;
    size_t n;
    if (!j || j->type != JSON_ARRAY) return wrong(r, "the replies of a tool are missing");
    in->is_reply = true;
    for (const json *e = j->first; e; e = e->next) {
        if (!json_get_str(e, &s, &n)) return wrong(r, "the reply of a tool is no text");
        if (!talk_input_add(in, s, n, r->err)) return false;
    }
    return true;
}

static bool read_calls(const reader *r, const json *j, tool_calls *calls)
{
    if (!j || j->type != JSON_ARRAY) return wrong(r, "the calls of an answer are missing");
    for (const json *e = j->first; e; e = e->next) {
        const json *arguments = json_get(e, "arguments");
        tool_call *c = tool_calls_add(calls);
        json_writer w = { c ? &c->arguments : NULL, false };
        if (!c) return err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
        if (!read_text(r, json_get(e, "id"), &c->id)
            || !read_text(r, json_get(e, "name"), &c->name))
            return false;
        if (!arguments || arguments->type != JSON_OBJECT)
            return wrong(r, "the arguments of a call are no object");
        json_put_value(&w, arguments);
        if (c->arguments.failed) return err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
    }
    return true;
}

/* Replies come after as many calls, a user's text after none. */
static bool check_input(const reader *r, const talk_input *in, const tool_calls *calls)
{
    return (in->is_reply ? calls && in->n == calls->n : !calls && in->n == 1)
           || wrong(r, "a turn does not go with the calls before it");
}

/* How to undo it, where the file says so. */
static bool read_before(const reader *r, const json *j, talk_turn *t)
{
    int64_t n_ids, n_text;
    if (!j) return true;
    bool is_pair = j->type == JSON_ARRAY && j->n == 2 && json_get_int(j->first, &n_ids)
                   && json_get_int(j->first->next, &n_text);
    if (!is_pair || n_ids < 0 || n_text < 0)
        return wrong(r, "what was before a turn is no pair of numbers");
    t->has_before = true;
    t->n_ids_before = (size_t)n_ids;
    t->n_text_before = (size_t)n_text;
    return true;
}

static bool read_turn(const reader *r, const json *j, int n_vocab, talk_turn *t)
{
    int64_t n_retries;
    const json *user = json_get(j, "user"), *calls = json_get(j, "calls");
    const char *s;
    size_t n;
    if (!json_get_int(json_get(j, "retries"), &n_retries) || n_retries < 0 || n_retries > INT_MAX)
        return wrong(r, "the retries of a turn are missing");
    t->n_retries = (int)n_retries;
    const json *content = json_get(j, "content");
    if (calls && !read_calls(r, calls, &t->calls)) return false;
    if ((calls || content) && !read_text(r, content, &t->content)) return false;
    if (user && !json_get_str(user, &s, &n)) return wrong(r, "a text of the talk is missing");
    return (user ? talk_input_add(&t->input, s, n, r->err)
                 : read_texts(r, json_get(j, "replies"), &t->input))
           && read_text(r, json_get(j, "answer"), &t->answer)
           && read_ids(r, json_get(j, "ids"), n_vocab, &t->ids)
           && read_before(r, json_get(j, "before"), t);
}

static bool read_turns(const reader *r, const json *j, talk *t)
{
    lory_model_info info;
    lory_model_get_info(t->m, &info);
    if (!j || j->type != JSON_ARRAY) return wrong(r, "the turns are missing");
    t->turn = mem_new(j->n + 1, sizeof *t->turn);
    if (!t->turn) return err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
    t->cap = j->n + 1;
    for (const json *e = j->first; e; e = e->next) {
        talk_turn *turn = &t->turn[t->n];
        const tool_calls *calls = talk_awaits(t);
        t->n++;
        if (!read_turn(r, e, info.n_vocab, turn) || !check_input(r, &turn->input, calls))
            return false;
    }
    return true;
}

static bool read_talk(const reader *r, const json *j, talk *t)
{
    const json *system = json_get(j, "system");
    if (!json_get_int(json_get(j, "time"), &t->now)) return wrong(r, "the time is missing");
    t->has_system = system && system->type == JSON_STRING;
    if (t->has_system && !read_text(r, system, &t->system)) return false;
    return read_turns(r, json_get(j, "turns"), t);
}

/* What a file says, until it takes the place of what there was. */
typedef struct {
    talk talk;
    chat_tools tools;
    talk_input replies;
    opt_list bias, breakers, stop;
    const chat_builtin *builtin;
} loaded;

static void loaded_free(loaded *l)
{
    talk_free(&l->talk);
    chat_tools_free(&l->tools);
    talk_input_free(&l->replies);
    mem_free(l->bias.item);
    mem_free(l->breakers.item);
    mem_free(l->stop.item);
}

/* Settings are options: they are checked as those are. */
static bool read_settings(const reader *r, chat *c, const json *j, const loaded *l)
{
    lory_err inner;
    int hides = c->o->settings.hides;
    if (!j || j->type != JSON_OBJECT) return wrong(r, "the settings are missing");
    c->o->settings =
        (chat_settings){ .sampling = SAMPLING_DEFAULTS, .n_predict = -1, .hides = hides };
    c->o->settings.sampling.logit_bias = l->bias;
    c->o->settings.sampling.dry_breakers = l->breakers;
    for (const json *e = j->first; e; e = e->next) {
        if (e->type != JSON_NUMBER) return wrong(r, "a setting is no number");
        if (!chat_set(c, e->key, e->str, &inner))
            return err_set(r->err, LORY_E_FORMAT, "%s: settings: %s", r->path, inner.text);
    }
    return c->o->settings.sampling.seed >= 0 || wrong(r, "the seed is missing");
}

static bool has_item(const opt_list *l, const char *text)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->item[i], text) == 0) return true;
    return false;
}

/* The texts become the chat's; those of the command line stay. */
static bool read_list(const reader *r, chat *c, const json *j, const opt_list *given, opt_list *out)
{
    const char *s;
    size_t n, n_given = c->is_open ? 0 : given->n;
    if (!j || j->type != JSON_ARRAY) return wrong(r, "a list of texts is missing");
    out->cap = j->n + n_given + 1;
    out->item = mem_new(out->cap, sizeof *out->item);
    if (!out->item) return err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
    for (const json *e = j->first; e; e = e->next) {
        if (!json_get_str(e, &s, &n) || n == 0) return wrong(r, "an item of a list is no text");
        out->item[out->n] = arena_strndup(&c->texts, s, n);
        if (!out->item[out->n++]) return err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
    }
    for (size_t i = 0; i < n_given; i++)
        if (!has_item(out, given->item[i])) out->item[out->n++] = given->item[i];
    return true;
}

/* Files of before have none. */
static bool read_breakers(const reader *r, chat *c, const json *j, opt_list *out)
{
    static const json none = { .type = JSON_ARRAY };
    return read_list(r, c, j ? j : &none, &c->o->settings.sampling.dry_breakers, out);
}

static bool check_model(const reader *r, const chat *c, const json *j)
{
    const json *model = json_get(j, "model");
    const char *name;
    size_t n;
    if (json_str_is(json_get(model, "fingerprint"), model_hash(c).text)) return true;
    if (!json_get_str(json_get(model, "name"), &name, &n)) name = "?";
    return err_set(r->err, LORY_E_ARGUMENT,
                   "%s: the talk was with another model or other adapters (found \"%s\", another "
                   "fingerprint)",
                   r->path, name);
}

static bool has_same_template(const talk *t, const json *j)
{
    return json_str_is(json_get(j, "template"), template_hash(t).text);
}

/* The tokens that the talk goes on from: those of the file, unless it has none, as older ones, or
 * they are of another template. */
static bool read_held(const reader *r, const json *j, talk *t)
{
    const json *held = json_get(j, "held");
    lory_model_info info;
    lory_tokens ids = { 0 };
    int64_t n_text;
    if (!held || !has_same_template(t, j)) return talk_rebuild(t, r->err);
    lory_model_get_info(t->m, &info);
    bool ok = read_ids(r, json_get(held, "ids"), info.n_vocab, &ids);
    if (ok && (!json_get_int(json_get(held, "bytes"), &n_text) || n_text < 0
               || !talk_restore(t, &ids, (size_t)n_text)))
        ok = wrong(r, "the tokens of the talk do not go with its turns");
    lory_tokens_free(&ids);
    return ok;
}

/* What makes it go on otherwise than it would have. */
static void tell_differences(const reader *r, const chat *c, const json *j)
{
    const char *now = cli_cache_types[c->o->session.cache_type];
    if (!json_str_is(json_get(j, "cache_type"), now))
        cli_note("%s: the talk had another --cache-type: it goes on with %s", r->path, now);
    if (!has_same_template(&c->talk, j))
        cli_note("%s: the talk had another template: it goes on with %s", r->path,
                 c->talk.template_name);
}

/* The settings have the new lists already, these are the old ones. */
static void exchange(chat *c, loaded *l, const sampling_opts *o)
{
    loaded old = { c->talk,         c->tools,    c->replies, o->logit_bias,
                   o->dry_breakers, c->o->stop, NULL };
    c->talk = l->talk;
    c->tools = l->tools;
    c->replies = l->replies;
    c->talk.tools = &c->tools;
    c->o->stop = l->stop;
    *l = old;
}

static bool read_tools(const reader *r, const chat *c, const json *j, loaded *l)
{
    const lory_template tmpl = { .text = l->talk.template_text.data,
                                 .n = l->talk.template_text.len,
                                 .name = l->talk.template_name,
                                 .now = l->talk.now };
    const json *tools = json_get(j, "tools");
    const tool_calls *calls = talk_awaits(&l->talk);
    buf text = { 0 };
    json_writer w = { &text, false };
    if (!tools) return !calls || wrong(r, "it has calls and no tools");
    json_put_value(&w, tools);
    bool ok = !text.failed || err_set(r->err, LORY_E_MEMORY, "%s: no memory", r->path);
    ok = ok && chat_tools_read(&l->tools, text.data, text.len, r->path, r->err)
         && chat_tools_fit(&l->tools, "--tools", c->m, &tmpl, r->err)
         && read_texts(r, json_get(j, "replies"), &l->replies);
    buf_free(&text);
    if (ok && l->replies.n > 0 && !(calls && l->replies.n < calls->n))
        return wrong(r, "it has replies to no call");
    return ok;
}

static bool read_all(const reader *r, chat *c, const json *j, loaded *l)
{
    return check_model(r, c, j) && read_talk(r, j, &l->talk)
           && chat_read_template(c, json_get(j, "tools") != NULL, &l->talk.template_text,
                                 &l->builtin, r->err)
           && read_tools(r, c, j, l) && read_held(r, j, &l->talk)
           && read_list(r, c, json_get(j, "logit_bias"), &c->o->settings.sampling.logit_bias,
                        &l->bias)
           && read_breakers(r, c, json_get(j, "dry_breakers"), &l->breakers)
           && read_list(r, c, json_get(j, "stop"), &c->o->stop, &l->stop)
           && read_settings(r, c, json_get(j, "settings"), l)
           && chat_set_stops(c, &l->stop, l->builtin, r->err);
}

bool chat_take_body(chat *c, const char *path, const json *j, lory_err *err)
{
    const reader r = { path, err };
    loaded l = { .talk = { .m = c->m, .template_name = c->talk.template_name } };
    chat_settings before = c->o->settings;
    l.talk.tools = &l.tools;
    bool ok = read_all(&r, c, j, &l);
    if (ok) {
        exchange(c, &l, &before.sampling);
        tell_differences(&r, c, j);
    } else {
        c->o->settings = before;
    }
    loaded_free(&l);
    return ok;
}
