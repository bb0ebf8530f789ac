/* schema_build.c - see schema_build.h. */
#include "sample/schema_build.h"
#include "base/err.h"
#include "base/hash.h"
#include "sample/automaton.h"
#include "sample/regex.h"
#include "sample/vec.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONJUNCTS = 16, MAX_RULES = 100000 };

/* ---- errors --------------------------------------------------------------------------------- */

/* Writes the JSON pointer of `at` into b when it lies in j, whose own pointer b holds. */
static bool find_pointer(const json *j, const json *at, buf *b)
{
    size_t n = b->len, i = 0;
    if (j == at) return true;
    if (j->type != JSON_OBJECT && j->type != JSON_ARRAY) return false;
    for (const json *m = j->first; m; m = m->next, i++) {
        buf_putc(b, '/');
        if (!m->key) buf_printf(b, "%zu", i);
        for (size_t k = 0; m->key && k < m->n_key; k++) {
            if (m->key[k] == '~')
                buf_puts(b, "~0");
            else if (m->key[k] == '/')
                buf_puts(b, "~1");
            else
                buf_putc(b, m->key[k]);
        }
        if (find_pointer(m, at, b)) return true;
        b->len = n;
    }
    return false;
}

bool schema_fail(builder *b, const json *at, lory_status code, const char *fmt, ...)
{
    char what[400];
    buf pointer = { 0 };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    buf_putc(&pointer, '#');
    find_pointer(b->root, at, &pointer);
    if (pointer.data) pointer.data[pointer.len] = 0;
    err_set(b->err, code, "%s: %s: %s", b->name, pointer.data ? pointer.data : "#", what);
    buf_free(&pointer);
    return false;
}

bool schema_no_memory(builder *b)
{
    return err_set(b->err, LORY_E_MEMORY, "%s: no memory for the schema", b->name);
}

/* ---- keywords ------------------------------------------------------------------------------- */

static const char *const assertions[] = {
    "type", "enum", "const", "properties", "required", "additionalProperties", "patternProperties",
    "unevaluatedProperties", "minProperties", "maxProperties", "items", "prefixItems",
    "additionalItems", "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern",
    "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "anyOf",
    "oneOf", "allOf", "$ref"
};
static const char *const annotations[] = {
    "$schema", "$id", "id", "$comment", "$defs", "definitions", "title", "description", "default",
    "example", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding",
    "contentMediaType", "contentSchema"
};

static const char *const refused[] = { /* they restrict values in some draft or in OpenAPI */
    "not", "if", "then", "else", "contains", "minContains", "maxContains", "propertyNames",
    "dependencies", "dependentRequired", "dependentSchemas", "unevaluatedItems", "$dynamicRef",
    "$recursiveRef", "extends", "disallow", "divisibleBy", "nullable"
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_among(const char *keyword, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keyword, list[i]) == 0) return true;
    return false;
}

static int lower_case(char c)
{
    return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

/* Whether one letter put in, left out or changed, or none, makes x to y, in any case. A first
 * letter that differs is meant: "_format" is how people put a keyword aside. */
static bool is_misspelt(const char *x, const char *y)
{
    size_t n = strlen(x), m = strlen(y), i = 0, k = 0, least = n < m ? n : m;
    while (i < least && lower_case(x[i]) == lower_case(y[i])) i++;
    while (k < least - i && lower_case(x[n - 1 - k]) == lower_case(y[m - 1 - k])) k++;
    return m > 3 && n - i - k <= 1 && m - i - k <= 1 && x[0] == y[0];
}

/* Words that no draft knows are annotations (Core 6.5), unless they are nearly one of ours. */
bool schema_check_keywords(builder *b, const json *schema)
{
    for (const json *j = schema->first; j; j = j->next) {
        if (is_among(j->key, assertions, COUNT(assertions))
            || is_among(j->key, annotations, COUNT(annotations)))
            continue;
        if (is_among(j->key, refused, COUNT(refused)))
            return schema_fail(b, j, LORY_E_UNSUPPORTED, "is not supported");
        for (size_t i = 0; i < COUNT(assertions); i++)
            if (is_misspelt(j->key, assertions[i]))
                return schema_fail(b, j, LORY_E_UNSUPPORTED,
                                   "is no keyword (did you mean \"%s\"?)", assertions[i]);
    }
    return true;
}

const json *conjunct_get(const conjunct *c, const char *keyword)
{
    if (c->without & WITHOUT_ANY_OF && strcmp(keyword, "anyOf") == 0) return NULL;
    if (c->without & WITHOUT_ONE_OF && strcmp(keyword, "oneOf") == 0) return NULL;
    return json_get(c->at, keyword);
}

bool schema_count(builder *b, const conjunct *c, const char *keyword, uint32_t *v)
{
    const json *j = conjunct_get(c, keyword);
    int64_t n;
    if (!j) return true;
    if (!json_get_int(j, &n) || n < 0)
        return schema_fail(b, j, LORY_E_FORMAT, "is not a whole number of 0 or more");
    *v = n < SYNTAX_MANY ? (uint32_t)n : SYNTAX_MANY - 1;
    return true;
}

bool schema_is_object(builder *b, const conjunct *c, const char *keyword)
{
    const json *j = conjunct_get(c, keyword);
    return !j || j->type == JSON_OBJECT || schema_fail(b, j, LORY_E_FORMAT, "is not an object");
}

/* ---- types ---------------------------------------------------------------------------------- */

static bool read_type(builder *b, const json *j, unsigned *types)
{
    static const struct {
        const char *name;
        unsigned types;
    } names[] = { { "null", T_NULL },     { "boolean", T_BOOL },
                  { "integer", T_WHOLE }, { "number", T_WHOLE | T_NUMBER },
                  { "string", T_STRING }, { "array", T_ARRAY },
                  { "object", T_OBJECT } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_str_is(j, names[i].name)) {
            *types |= names[i].types;
            return true;
        }
    return schema_fail(b, j, LORY_E_FORMAT, "is not the name of a type");
}

bool schema_types(builder *b, const conjunct *c, unsigned *types)
{
    const json *type = conjunct_get(c, "type");
    *types = type ? 0 : T_ALL;
    if (!type) return true;
    if (type->type != JSON_ARRAY) return read_type(b, type, types);
    for (const json *j = type->first; j; j = j->next)
        if (!read_type(b, j, types)) return false;
    return true;
}

/* ---- lists ---------------------------------------------------------------------------------- */

void conjuncts_free(conjuncts *l)
{
    mem_free(l->item);
    *l = (conjuncts){ 0 };
}

bool conjuncts_put(builder *b, conjuncts *l, const json *at, unsigned without, bool *is_new)
{
    *is_new = false;
    for (size_t i = 0; i < l->n; i++)
        if (l->item[i].at == at && l->item[i].without == without) return true;
    if (l->n == MAX_CONJUNCTS)
        return schema_fail(b, at, LORY_E_UNSUPPORTED,
                           "more than %d schemas for one value are not supported", MAX_CONJUNCTS);
    conjunct *all = vec_room(l->item, l->n, &l->cap, 1, sizeof *all);
    if (!all) return schema_no_memory(b);
    l->item = all;
    l->item[l->n++] = (conjunct){ at, without };
    *is_new = true;
    return true;
}

/* One step of a JSON pointer, "~1" and "~0" (and %XX) being what they stand for. */
static const json *step_to(const json *j, const char *s, size_t n)
{
    char name[256];
    size_t len = 0;
    for (size_t i = 0; i < n && len < sizeof name - 1; i++) {
        unsigned hex;
        if (s[i] == '~' && i + 1 < n)
            name[len++] = s[++i] == '1' ? '/' : '~';
        else if (s[i] == '%' && i + 2 < n && sscanf(s + i + 1, "%2x", &hex) == 1) {
            name[len++] = (char)hex;
            i += 2;
        } else
            name[len++] = s[i];
    }
    name[len] = 0;
    if (j->type == JSON_OBJECT) return json_get(j, name);
    if (j->type != JSON_ARRAY || len == 0 || strspn(name, "0123456789") != len || len > 6)
        return NULL;
    const json *at = j->first;
    for (long i = atol(name); at && i > 0; i--) at = at->next;
    return at;
}

static bool is_document(const json *j)
{
    const json *id = json_get(j, "$id");
    return id && id->type == JSON_STRING && id->n > 0 && id->str[0] != '#';
}

bool schema_has_documents(const json *root)
{
    for (const json *j = root->first; j; j = j->next)
        if (is_document(j) || schema_has_documents(j)) return true;
    return false;
}

/* Whether `at` lies in j; *document is then the innermost around it that has an $id of its own. */
static bool find_document(const json *j, const json *at, const json **document)
{
    if (j == at) return true;
    const json *m = j->first;
    while (m && !find_document(m, at, document)) m = m->next;
    if (m && !*document && is_document(j)) *document = j;
    return m != NULL;
}

static const json *follow(const json *at, const char *s, size_t n)
{
    for (size_t i = 1; at && i < n;) {
        size_t len = strcspn(s + i + 1, "/");
        at = step_to(at, s + i + 1, len);
        i += 1 + len;
    }
    return at;
}

const json *schema_resolve(builder *b, const json *ref)
{
    const char *s;
    size_t n;
    if (!json_get_str(ref, &s, &n)) {
        schema_fail(b, ref, LORY_E_FORMAT, "is not a text");
        return NULL;
    }
    const json *document = NULL, *at = NULL;
    if (b->has_documents) find_document(b->root, ref, &document);
    bool is_pointer = n > 0 && s[0] == '#' && (n == 1 || s[1] == '/');
    if (is_pointer && document) at = follow(document, s, n);
    if (is_pointer && !at) at = follow(b->root, s, n); /* as those mean it who have ids at will */
    if (at) return at;
    schema_fail(b, ref, LORY_E_UNSUPPORTED, "there is no \"%.80s\" in the schema", s);
    return NULL;
}

/* Recursion goes as deep as allOf and $ref lead without a new conjunct in between. */
bool conjuncts_add(builder *b, conjuncts *l, const json *schema, unsigned without)
{
    bool is_new;
    if (schema->type == JSON_FALSE) l->is_never = true;
    if (schema->type == JSON_FALSE || schema->type == JSON_TRUE) return true;
    if (schema->type != JSON_OBJECT)
        return schema_fail(b, schema, LORY_E_FORMAT, "is not a schema (an object, true or false)");
    if (!schema_check_keywords(b, schema) || !conjuncts_put(b, l, schema, without, &is_new))
        return false;
    if (!is_new) return true;
    const json *ref = json_get(schema, "$ref"), *all = json_get(schema, "allOf");
    const json *to = ref ? schema_resolve(b, ref) : NULL;
    if (ref && (!to || !conjuncts_add(b, l, to, 0))) return false;
    if (all && (all->type != JSON_ARRAY || all->n == 0))
        return schema_fail(b, all, LORY_E_FORMAT, "is not an array of schemas");
    for (const json *j = all ? all->first : NULL; j; j = j->next)
        if (!conjuncts_add(b, l, j, 0)) return false;
    return true;
}

bool schema_applies(builder *b, const json *schema, const json *part, int *budget)
{
    static const char *const lists[] = { "allOf", "anyOf", "oneOf" };
    if (schema == part) return true;
    if (--*budget < 0) return false;
    const json *ref = json_get(schema, "$ref"), *to = ref ? schema_resolve(b, ref) : NULL;
    if (to && schema_applies(b, to, part, budget)) return true;
    for (size_t i = 0; i < COUNT(lists); i++) {
        const json *list = json_get(schema, lists[i]);
        for (const json *j = list ? list->first : NULL; j && *budget > 0; j = j->next)
            if (schema_applies(b, j, part, budget)) return true;
    }
    return false;
}

/* ---- rules of lists ------------------------------------------------------------------------- */

static uint64_t hash_of(const conjuncts *l)
{
    hash64 h;
    hash64_begin(&h, l->is_never);
    for (size_t i = 0; i < l->n; i++) {
        hash64_put(&h, &l->item[i].at, sizeof l->item[i].at);
        hash64_put(&h, &l->item[i].without, sizeof l->item[i].without);
    }
    return hash64_end(&h);
}

static bool is_same_list(const conjuncts *x, const conjuncts *y)
{
    if (x->n != y->n || x->is_never != y->is_never) return false;
    for (size_t i = 0; i < x->n; i++)
        if (x->item[i].at != y->item[i].at || x->item[i].without != y->item[i].without)
            return false;
    return true;
}

static size_t slot_of(const builder *b, const conjuncts *l)
{
    size_t i = hash_of(l) & (b->n_slots - 1);
    while (b->slot[i] && !is_same_list(&b->memo[b->slot[i] - 1].list, l))
        i = (i + 1) & (b->n_slots - 1);
    return i;
}

static bool grow_slots(builder *b)
{
    size_t n = b->n_slots ? 2 * b->n_slots : 64;
    uint32_t *slot = mem_new(n, sizeof *slot);
    if (!slot) return false;
    mem_free(b->slot);
    b->slot = slot;
    b->n_slots = n;
    for (size_t i = 0; i < b->n_memos; i++) b->slot[slot_of(b, &b->memo[i].list)] = (uint32_t)i + 1;
    return true;
}

static const expr *new_rule(builder *b, conjuncts *l)
{
    schema_memo *all = vec_room(b->memo, b->n_memos, &b->cap_memos, 1, sizeof *all);
    if (!all) return NULL;
    b->memo = all;
    uint32_t rule = syntax_add_rule(b->s);
    if (b->s->failed) return NULL;
    b->memo[b->n_memos++] = (schema_memo){ *l, rule };
    *l = (conjuncts){ 0 };
    return syntax_ref(b->s, rule);
}

const expr *schema_value(builder *b, conjuncts *l)
{
    const expr *e = NULL;
    bool is_full = b->s->n_rules > MAX_RULES;
    if (is_full)
        err_set(b->err, LORY_E_UNSUPPORTED,
                "%s: the schema is too large (it takes more than %d rules)", b->name, MAX_RULES);
    else if (2 * b->n_memos < b->n_slots || grow_slots(b)) {
        size_t at = slot_of(b, l);
        if (b->slot[at])
            e = syntax_ref(b->s, b->memo[b->slot[at] - 1].rule);
        else if ((e = new_rule(b, l)) != NULL)
            b->slot[at] = (uint32_t)b->n_memos;
    }
    conjuncts_free(l);
    if (!e && !is_full) schema_no_memory(b);
    return e;
}

const expr *schema_value_of(builder *b, const json *schema)
{
    conjuncts l = { 0 };
    if (!schema || conjuncts_add(b, &l, schema, 0)) return schema_value(b, &l);
    conjuncts_free(&l);
    return NULL;
}

/* ---- texts ---------------------------------------------------------------------------------- */

const expr *schema_text(builder *b, const char *text)
{
    return syntax_text(b->s, text, strlen(text));
}

const expr *schema_never(builder *b)
{
    return syntax_alt(b->s, NULL, 0);
}

const expr *schema_constant(builder *b, const json *value)
{
    buf text = { 0 };
    json_put_value(&(json_writer){ &text, false }, value);
    const expr *e = text.failed ? NULL : syntax_text(b->s, text.data, text.len);
    if (!e) schema_no_memory(b);
    buf_free(&text);
    return e;
}

const expr *schema_key(builder *b, const char *key, size_t n)
{
    buf text = { 0 };
    json_put_bytes(&(json_writer){ &text, false }, key, n);
    buf_putc(&text, ':');
    const expr *e = text.failed ? NULL : syntax_text(b->s, text.data, text.len);
    buf_free(&text);
    return syntax_seq(b->s, (const expr *[]){ e, b->blank }, 2);
}

/* Whether a grammar has the text. */
static bool has_text(builder *b, const syntax *s, const char *text, size_t n, bool *has)
{
    pushdown p;
    automaton a;
    lory_err inner;
    *has = false;
    if (!pushdown_compile(&p, s, b->name, &inner))
        return inner.code == LORY_E_FORMAT || err_set(b->err, inner.code, "%s", inner.text);
    bool ok = automaton_init(&a, &p, b->err);
    uint32_t state = ok ? a.start : AUTOMATON_DEAD;
    for (size_t i = 0; ok && i < n && state != AUTOMATON_DEAD; i++)
        ok = automaton_step(&a, state, (uint8_t)text[i], &state, b->err);
    *has = ok && a.state[state].accepts;
    automaton_free(&a);
    pushdown_free(&p);
    return ok;
}

bool schema_matches(builder *b, const json *at, const char *pattern, size_t n_pattern,
                    const char *text, size_t n, bool *matches)
{
    syntax s = { 0 };
    lory_err inner;
    const expr *e = regex_read(&s, pattern, n_pattern, syntax_chars, "pattern", &inner);
    bool ok = e || schema_fail(b, at, inner.code, "%s", inner.text);
    syntax_add_rule(&s);
    if (ok && s.failed) ok = schema_no_memory(b);
    if (ok) {
        s.rule[0] = e;
        ok = has_text(b, &s, text, n, matches);
    }
    syntax_free(&s);
    return ok;
}

/* ---- the builder ---------------------------------------------------------------------------- */

void builder_close(builder *b)
{
    for (size_t i = 0; i < b->n_memos; i++) conjuncts_free(&b->memo[i].list);
    mem_free(b->memo);
    mem_free(b->slot);
}
