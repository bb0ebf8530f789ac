/* jinja_parse.c - see jinja_parse.h: from a template's bytes to a tree whose names are bound. */
#include "chat/jinja_parse.h"
#include "base/utf8.h"
#include "chat/jinja_parser.h"
#include <string.h>

/* Line ends become \n, and the last one goes. */
static void normalize(jinja *t, const char *text, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_cr = text[i] == '\r';
        t->source[at++] = is_cr ? '\n' : text[i];
        if (is_cr && i + 1 < n && text[i + 1] == '\n') i++;
    }
    if (at > 0 && t->source[at - 1] == '\n') at--;
    t->n_source = at;
}

static bool parse(jinja *t, lory_err *err)
{
    jlexer lx = {
        .s = t->source, .n = t->n_source, .name = t->name, .arena = &t->arena, .err = err
    };
    if (!jinja_lex(&lx)) return false;
    jparser p = { .t = t, .token = lx.token, .err = err };
    t->body = jparse_body(&p, NULL);
    return !p.has_failed && jinja_bind(t, err);
}

jinja *jinja_parse(const char *text, size_t n, const char *name, lory_err *err)
{
    if (n > JINJA_MAX_BYTES || !utf8_is_valid(text, n)) {
        err_set(err, LORY_E_FORMAT, "%s: %s", name,
                n > JINJA_MAX_BYTES ? "the template is too large" : "the template is not UTF-8");
        return NULL;
    }
    jinja *t = mem_new(1, sizeof *t);
    if (t && (t->source = arena_new(&t->arena, n + 1, 1))
        && (t->name = arena_strndup(&t->arena, name, strlen(name)))) {
        normalize(t, text, n);
        if (parse(t, err)) return t;
    } else {
        err_set(err, LORY_E_MEMORY, "%s: no memory to read it", name);
    }
    jinja_free(t);
    return NULL;
}

void jinja_free(jinja *t)
{
    if (t) arena_free(&t->arena);
    mem_free(t);
}
