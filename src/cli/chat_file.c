/* chat_file.c - the file of a talk: its two lines of JSON, then the KV cache; see chat.h. */
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/chat.h"
#include "cli/chat_body.h"
#include <inttypes.h>
#include <string.h>

enum { VERSION = 2 };

static const char format_name[] = "lory talk";

/* ---- writing ----------------------------------------------------------------------------- */

static void put_head(const buf *body, size_t n_kv, buf *out)
{
    json_writer w = { out, false };
    json_begin_object(&w);
    json_member_str(&w, "format", format_name);
    json_member_int(&w, "version", VERSION);
    json_member_int(&w, "body", (int64_t)body->len);
    json_member_str(&w, "hash", hash64_digits(hash64_of(body->data, body->len, 0)).text);
    json_member_int(&w, "kv", (int64_t)n_kv);
    json_end_object(&w);
    buf_putc(out, '\n');
}

/* How many tokens of the session the talk goes on from: what was undone is not among them. */
static size_t count_cached(const chat *c)
{
    lory_tokens ids = { 0 };
    const lory_tokens *known = &c->talk.held.ids;
    size_t n, n_same = 0;
    const lory_token *held = lory_session_tokens(c->s, &n);
    if (known->n == 0) known = talk_measure(&c->talk, 0, &ids, NULL) ? &ids : &(lory_tokens){ 0 };
    while (n_same < n && n_same < known->n && held[n_same] == known->id[n_same]) n_same++;
    lory_tokens_free(&ids);
    return n_same;
}

typedef struct {
    file_new *f;
    lory_err *err;
    bool has_failed;
} sink;

static bool put_kv(void *user, const void *bytes, size_t n)
{
    sink *s = user;
    s->has_failed = !file_write(s->f, bytes, n, s->err);
    return !s->has_failed;
}

static bool write_file(const chat *c, const char *path, const buf *text, size_t n_cached,
                       lory_err *err)
{
    file_new f = { 0 };
    sink s = { &f, err, false };
    lory_err inner;
    bool ok = file_create(&f, path, err) && file_write(&f, text->data, text->len, err);
    if (ok && n_cached > 0 && !lory_session_write_state(c->s, n_cached, put_kv, &s, &inner))
        ok = !s.has_failed && err_set(err, inner.code, "%s: %s", path, inner.text);
    ok = ok && file_commit(&f, err);
    if (!ok) file_abandon(&f);
    return ok;
}

bool chat_may_save(const chat_opts *o, const char *subject, const char *path, lory_err *err)
{
    char bundled[BUNDLED_PATH_MAX];
    const char *const read[] = { cli_model_path(&o->model, bundled, NULL),
                                 o->session.drafter,
                                 cli_is_lora(&o->session.lora, path) ? path : NULL,
                                 o->template,
                                 o->tools,
                                 o->system && o->system[0] == '@' ? o->system + 1 : NULL,
                                 o->constraint.grammar,
                                 o->constraint.schema };
    return cli_may_write(subject, path, read, sizeof read / sizeof read[0], err);
}

bool chat_save(const chat *c, const char *path, bool has_kv, lory_err *err)
{
    buf body = { 0 }, text = { 0 };
    size_t n_cached = has_kv ? count_cached(c) : 0;
    size_t n_kv = n_cached > 0 ? lory_session_state_bytes(c->s, n_cached) : 0;
    if (n_kv == 0) n_cached = 0;
    chat_put_body(c, &body);
    if (!body.failed) put_head(&body, n_kv, &text);
    buf_put(&text, body.data, body.len);
    bool ok = !body.failed && !text.failed;
    if (!ok) err_set(err, LORY_E_MEMORY, "%s: no memory for the talk", path);
    ok = ok && write_file(c, path, &text, n_cached, err);
    if (ok && has_kv && c->is_interactive)
        cli_note("%s: %zu turn%s, %.1f MB, %.1f of them the KV cache", path, c->talk.n,
                 plural(c->talk.n), (double)(text.len + n_kv) / 1e6, (double)n_kv / 1e6);
    buf_free(&text);
    buf_free(&body);
    return ok;
}

/* ---- reading ----------------------------------------------------------------------------- */

typedef struct {
    const char *s; /* [n] */
    size_t n;
} part;

/* The parts of a file, whose first line is checked, and that the body is what was written. */
static bool split(const file_map *m, part *body, part *kv, lory_err *err)
{
    const char *data = (const char *)m->data, *end = memchr(data, '\n', m->size);
    size_t n_head = end ? (size_t)(end - data) : 0;
    json_doc d;
    int64_t version = 0, n_body = -1, n_kv = -1;
    if (!end || !json_read(&d, data, n_head, m->path, NULL))
        return err_set(err, LORY_E_FORMAT, "%s: no talk of lory (its first line is no JSON object)",
                       m->path);
    bool is_talk = json_str_is(json_get(d.root, "format"), format_name)
                   && json_get_int(json_get(d.root, "version"), &version);
    bool has_sizes = json_get_int(json_get(d.root, "body"), &n_body)
                     && json_get_int(json_get(d.root, "kv"), &n_kv) && n_body >= 0 && n_kv >= 0
                     && (uint64_t)n_body <= m->size - n_head - 1;
    *body = (part){ data + n_head + 1, has_sizes ? (size_t)n_body : 0 };
    *kv = (part){ body->s + body->n, m->size - n_head - 1 - body->n };
    const hash64_text hash = hash64_digits(hash64_of(body->s, body->n, 0));
    bool is_whole = has_sizes && json_str_is(json_get(d.root, "hash"), hash.text);
    if (n_kv == 0) kv->n = 0;
    json_close(&d);
    if (!is_talk)
        return err_set(err, LORY_E_FORMAT, "%s: no talk of lory (its first line says no format)",
                       m->path);
    if (version != VERSION)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: a talk of version %" PRId64 " (known: %d)",
                       m->path, version, VERSION);
    return is_whole
           || err_set(err, LORY_E_FORMAT, "%s: damaged: its bytes are not those that were written",
                      m->path);
}

/* Whatever is wrong with the KV cache, the talk goes on: it is worked out anew,
 * to the same bits. */
static void take_kv(const chat *c, const char *path, const part *kv)
{
    lory_err err;
    if (kv->n > 0 && !lory_session_read_state(c->s, kv->s, kv->n, &err))
        cli_note("%s: the talk is read again from the start (%s)", path, err.text);
}

bool chat_load(chat *c, const char *path, lory_err *err)
{
    file_map m;
    json_doc d;
    part body = { 0 }, kv = { 0 };
    if (!file_map_open(&m, path, err)) return false;
    bool ok = split(&m, &body, &kv, err) && json_read(&d, body.s, body.n, path, err);
    if (ok) {
        ok = chat_take_body(c, path, d.root, err);
        json_close(&d);
    }
    if (ok) take_kv(c, path, &kv);
    file_map_close(&m);
    return ok;
}

void chat_tell_loaded(const chat *c, const char *path)
{
    if (c->is_interactive)
        cli_note("%s: %zu turn%s, %zu token%s", path, c->talk.n, plural(c->talk.n), chat_used(c),
                 plural(chat_used(c)));
}
