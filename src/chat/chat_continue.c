/* chat_continue.c - see chat_continue.h. */
#include "chat/chat_continue.h"
#include "base/err.h"
#include "base/utf8.h"
#include "text/unicode_case.h"
#include <string.h>

static const char key[] = "continue_final_message";
/* The blank shows whether the template trims what it shows. */
static const char tag[] = "CONTINUE_FINAL_MESSAGE_TAG ";
enum { N_TAG = sizeof tag - 1, N_TRIMMED = N_TAG - 1 };

/* ---- the variables ----------------------------------------------------------------------- */

static bool is_key(const json *j, const char *name)
{
    return strlen(name) == j->n_key && memcmp(name, j->key, j->n_key) == 0;
}

static void put_tagged(json_writer *w, const json *text)
{
    buf b = { 0 };
    buf_put(&b, text->str, text->n);
    buf_puts(&b, tag);
    if (b.failed) w->out->failed = true;
    json_put_bytes(w, b.data, b.len);
    buf_free(&b);
}

/* An object with its member `key` replaced by that text and the tag. */
static void put_object(json_writer *w, const json *object, const json *text)
{
    json_begin_object(w);
    for (const json *m = object->first; m; m = m->next) {
        json_put_key_bytes(w, m->key, m->n_key);
        if (m == text)
            put_tagged(w, m);
        else
            json_put_value(w, m);
    }
    json_end_object(w);
}

/* The last block with a text; NULL when there is none. */
static const json *last_text(const json *blocks)
{
    const json *last = NULL;
    for (const json *b = blocks->first; b; b = b->next)
        if (json_get(b, "text") && json_get(b, "text")->type == JSON_STRING) last = b;
    return last;
}

static void put_blocks(json_writer *w, const json *blocks)
{
    const json *last = last_text(blocks);
    json_begin_array(w);
    for (const json *b = blocks->first; b; b = b->next)
        if (b == last)
            put_object(w, b, json_get(b, "text"));
        else
            json_put_value(w, b);
    json_end_array(w);
}

static void put_final(json_writer *w, const json *message)
{
    const json *content = json_get(message, "content");
    if (content->type == JSON_STRING) {
        put_object(w, message, content);
        return;
    }
    json_begin_object(w);
    for (const json *m = message->first; m; m = m->next) {
        json_put_key_bytes(w, m->key, m->n_key);
        if (m == content)
            put_blocks(w, m);
        else
            json_put_value(w, m);
    }
    json_end_object(w);
}

static void put_messages(json_writer *w, const json *messages)
{
    json_begin_array(w);
    for (const json *m = messages->first; m; m = m->next)
        if (m->next)
            json_put_value(w, m);
        else
            put_final(w, m);
    json_end_array(w);
}

static bool check(const json *vars, const char *name, lory_err *err)
{
    const json *messages = json_get(vars, "messages"), *final = NULL;
    bool asks = false;
    json_get_bool(json_get(vars, "add_generation_prompt"), &asks);
    if (asks)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: continue_final_message and add_generation_prompt are not compatible: "
                       "the one goes on with the last message, the other begins a new one",
                       name);
    for (const json *m = messages ? messages->first : NULL; m; m = m->next) final = m;
    const json *content = json_get(final, "content");
    if (content
        && (content->type == JSON_STRING || (content->type == JSON_ARRAY && last_text(content))))
        return true;
    return err_set(
        err, LORY_E_ARGUMENT,
        "%s: continue_final_message is set but we could not find any text to continue in "
        "the final message!",
        name);
}

bool chat_continue_vars(const json *vars, const char *name, buf *out, bool *is_set, lory_err *err)
{
    json_writer w = { out, false };
    *is_set = false;
    json_get_bool(json_get(vars, key), is_set);
    if (*is_set && !check(vars, name, err)) return false;
    json_begin_object(&w);
    for (const json *m = vars->first; m; m = m->next) {
        if (is_key(m, key)) continue;
        json_put_key_bytes(&w, m->key, m->n_key);
        if (*is_set && m == json_get(vars, "messages"))
            put_messages(&w, m);
        else
            json_put_value(&w, m);
    }
    json_end_object(&w);
    return !out->failed || err_set(err, LORY_E_MEMORY, "%s: no memory", name);
}

/* ---- what was rendered ------------------------------------------------------------------- */

/* The length of s[0..n) without white space at its end. */
static size_t strip_end(const char *s, size_t n)
{
    while (n > 0) {
        uint32_t cp;
        size_t at = n - 1;
        while (at > 0 && n - at < UTF8_MAX_BYTES && ((unsigned char)s[at] & 0xC0) == 0x80) at--;
        utf8_decode(s + at, n - at, &cp);
        if (cp == UTF8_BAD || !unicode_is_space(cp)) break;
        n = at;
    }
    return n;
}

bool chat_continue_cut(const char *name, jinja_output *out, lory_err *err)
{
    const char *s = out->text.data;
    size_t n = out->text.len, at = n < N_TRIMMED ? 0 : n - N_TRIMMED + 1;
    bool is_found = false;
    while (at > 0 && !is_found) is_found = memcmp(s + --at, tag, N_TRIMMED) == 0;
    if (!is_found)
        return err_set(err, LORY_E_FORMAT,
                       "%s: continue_final_message is set but the final message does not appear in "
                       "the chat after applying the chat template! This can happen if the chat "
                       "template deletes portions of the final message. Please verify the chat "
                       "template and final message in your chat to ensure they are compatible.",
                       name);
    bool is_trimmed = at + N_TAG > n || s[at + N_TRIMMED] != tag[N_TRIMMED];
    if (is_trimmed) at = strip_end(s, at);
    out->text.len = at;
    out->text.data[at] = '\0';
    while (out->n_plain > 0 && out->plain[out->n_plain - 1].start >= at) out->n_plain--;
    if (out->n_plain > 0 && out->plain[out->n_plain - 1].end > at)
        out->plain[out->n_plain - 1].end = at;
    return true;
}
