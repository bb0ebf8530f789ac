/* test_jinja.c - chat templates against Python's jinja2: small cases written here, and every case
 * of ../shared/templates where that is there. */
#include "base/file.h"
#include "chat/jinja_eval.h"
#include "test.h"
#include "text/json.h"
#include <stdlib.h>

enum { CLOCK = 1721995200 }; /* 2024-07-26 12:00:00 UTC, the moment of the reference cases */

/* What the template gives over the JSON object `vars`, or "ERROR: " and the message. Owned by the
 * caller; free. */
static char *render_json(const char *template, size_t n, const json *vars)
{
    lory_err err = { 0 };
    jinja_output out = { 0 };
    jinja_input in = { .vars = vars, .now = CLOCK };
    jinja *t = jinja_parse(template, n, "t", &err);
    char *text;
    if (t && jinja_render(t, &in, &out, &err)) {
        text = malloc(out.text.len + 1);
        memcpy(text, out.text.data ? out.text.data : "", out.text.len);
        text[out.text.len] = '\0';
    } else {
        text = malloc(sizeof err.text + 8);
        snprintf(text, sizeof err.text + 8, "ERROR: %s", err.text);
    }
    jinja_output_free(&out);
    jinja_free(t);
    return text;
}

/* ---- the reference cases of ../shared ------------------------------------------------------ */

typedef struct {
    size_t n, n_passed;
} score;

static const char *const refused = "ERROR: ";

static bool is_error(const char *text)
{
    return strncmp(text, refused, strlen(refused)) == 0;
}

/* The whole message where the template itself raised it, else that there is one. */
static bool fails_alike(const char *got, const json *error)
{
    const char *message;
    size_t n;
    if (!is_error(got)) return false;
    if (!json_str_is(json_get(error, "type"), "TemplateError")) return true;
    return json_get_str(json_get(error, "message"), &message, &n) && strlen(got) >= n + 10
           && strncmp(got + strlen(refused), "t: ", 3) == 0
           && strncmp(got + strlen(refused) + 3, message, n) == 0;
}

static void check_case(score *s, const char *name, const char *got, const json *c)
{
    const char *want;
    size_t n;
    bool ok = json_get_str(json_get(c, "expected"), &want, &n)
                  ? strlen(got) == n && memcmp(got, want, n) == 0
                  : fails_alike(got, json_get(c, "error"));
    s->n++;
    s->n_passed += ok;
    if (ok) return;
    bool has_text = json_get_str(json_get(c, "expected"), &want, &n)
                    || json_get_str(json_get(json_get(c, "error"), "message"), &want, &n);
    size_t at = 0;
    while (has_text && got[at] && at < n && got[at] == want[at]) at++;
    at = at > 40 ? at - 40 : 0;
    test_fail(__FILE__, __LINE__, "%s: got \"%.120s\", want \"%.120s\"", name,
              got + (is_error(got) ? 0 : at), has_text ? want + at : "?");
}

static void put_member(json_writer *w, const json *from, const char *key)
{
    const json *v = json_get(from, key);
    if (!v) return;
    json_put_key(w, key);
    json_put_value(w, v);
}

/* The variables of a chat case, as Hugging Face passes them. */
static void put_variables(json_writer *w, const json *file, const json *c)
{
    const json *extra = json_get(c, "extra");
    json_begin_object(w);
    put_member(w, c, "messages");
    put_member(w, c, "add_generation_prompt");
    json_put_key(w, "tools");
    if (json_get(c, "tools"))
        json_put_value(w, json_get(c, "tools"));
    else
        json_put_null(w);
    if (!json_get(extra, "documents")) {
        json_put_key(w, "documents");
        json_put_null(w);
    }
    for (const json *m = file->first; m; m = m->next)
        if (strstr(m->key, "_token") && m->type == JSON_STRING) put_member(w, file, m->key);
    for (const json *m = extra ? extra->first : NULL; m; m = m->next) put_member(w, extra, m->key);
    json_end_object(w);
}

static void run_chat_case(score *s, const char *path, const json *file, const json *c)
{
    buf b = { 0 };
    json_writer w = { &b, false };
    json_doc vars;
    const char *template;
    char name[300];
    size_t n;
    bool goes_on;
    if (json_get_bool(json_get(c, "continue_final_message"), &goes_on) && goes_on) return;
    put_variables(&w, file, c);
    REQUIRE(json_read(&vars, b.data, b.len, "vars", NULL));
    REQUIRE(json_get_str(json_get(file, "template"), &template, &n));
    char *got = render_json(template, n, vars.root);
    const json *id = json_get(c, "id");
    snprintf(name, sizeof name, "%s %s", path, id && id->str ? id->str : "?");
    check_case(s, name, got, c);
    free(got);
    json_close(&vars);
    buf_free(&b);
}

static bool read_json(json_doc *d, const char *path)
{
    buf b = { 0 };
    lory_err err;
    bool ok = file_read(path, SIZE_MAX, &b, &err) && json_read(d, b.data, b.len, path, &err);
    buf_free(&b);
    return ok;
}

TEST(every_reference_chat_gives_the_same_bytes)
{
    json_doc index, file;
    score s = { 0 };
    char path[512], name[256];
    const char *index_path = test_shared("templates/chat_index.json");
    if (!index_path) test_skip("../shared is not there");
    REQUIRE(read_json(&index, index_path));
    size_t i = 0, stride = (size_t)test_stride(20);
    for (const json *e = index.root->first; e; e = e->next, i++) {
        const char *file_name = e->key;
        size_t n;
        if (!file_name && !json_get_str(json_get(e, "file"), &file_name, &n)) continue;
        snprintf(name, sizeof name, "templates/%.200s", file_name);
        if (i % stride || !test_shared(name)) continue;
        snprintf(path, sizeof path, "%s", test_shared(name));
        REQUIRE(read_json(&file, path), "%s", path);
        for (const json *c = json_get(file.root, "cases")->first; c; c = c->next)
            run_chat_case(&s, file_name, file.root, c);
        json_close(&file);
    }
    json_close(&index);
    CHECK(s.n > 0 && s.n_passed == s.n, "%zu of %zu", s.n_passed, s.n);
}

TEST(every_reference_snippet_gives_the_same_bytes)
{
    json_doc d;
    score s = { 0 };
    const char *path = test_shared("templates/jinja_micro.json");
    if (!path) test_skip("../shared is not there");
    REQUIRE(read_json(&d, path));
    for (const json *c = d.root->first; c; c = c->next) {
        const char *template;
        size_t n;
        REQUIRE(json_get_str(json_get(c, "template"), &template, &n));
        char *got = render_json(template, n, json_get(c, "context"));
        check_case(&s, template, got, c);
        free(got);
    }
    CHECK(s.n_passed == s.n, "%zu of %zu", s.n_passed, s.n);
    json_close(&d);
}
