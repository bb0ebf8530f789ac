/* calls_value.c - see calls_value.h. */
#include "cli/calls_value.h"
#include "cli/calls_python.h"

enum { ALL_TYPES = (1 << (JSON_OBJECT + 1)) - 1, TEXT = 1 << JSON_STRING };

/* The types of JSON are bits, 1 << json_type. */
static const struct {
    const char *name;
    unsigned types;
} names[] = {
    { "string", TEXT },
    { "number", 1 << JSON_NUMBER },
    { "integer", 1 << JSON_NUMBER },
    { "boolean", 1 << JSON_TRUE | 1 << JSON_FALSE },
    { "null", 1 << JSON_NULL },
    { "array", 1 << JSON_ARRAY },
    { "object", 1 << JSON_OBJECT },
};
enum { N_NAMES = sizeof names / sizeof names[0] };

static unsigned types_named(const json *name)
{
    for (int i = 0; i < N_NAMES; i++)
        if (json_str_is(name, names[i].name)) return names[i].types;
    return ALL_TYPES;
}

/* The types that a schema allows, all when it does not say: those of its "type", else of its
 * alternatives, else of its values. */
static unsigned types_of(const json *schema)
{
    static const char *const alternatives[] = { "anyOf", "oneOf", NULL };
    const json *type = json_get(schema, "type"), *values = json_get(schema, "enum");
    unsigned types = 0;
    if (type && type->type != JSON_ARRAY) return types_named(type);
    for (const json *e = type ? type->first : NULL; e; e = e->next) types |= types_named(e);
    for (int i = 0; !types && alternatives[i]; i++) {
        const json *list = json_get(schema, alternatives[i]);
        for (const json *e = list ? list->first : NULL; e; e = e->next) types |= types_of(e);
    }
    for (const json *e = !types && values ? values->first : NULL; e; e = e->next)
        types |= 1u << e->type;
    return types ? types : ALL_TYPES;
}

const json *calls_property(const json *schema, const char *key, size_t n)
{
    return json_get_bytes(json_get(schema, "properties"), key, n);
}

bool calls_may_be_text(const json *schema)
{
    return types_of(schema) & TEXT;
}

static bool put_json(json_writer *w, unsigned types, const char *text, size_t n)
{
    json_doc d;
    lory_err why = { 0 };
    if (types == TEXT) return false;
    if (!json_read(&d, text, n, "", &why)) {
        w->out->failed |= why.code == LORY_E_MEMORY;
        return false;
    }
    bool is_it = types & 1u << d.root->type || !(types & TEXT);
    if (is_it) json_put_value(w, d.root);
    json_close(&d);
    return is_it;
}

static bool put_python(json_writer *w, unsigned types, const char *text, size_t n)
{
    buf value = { 0 };
    bool ok = !(types & TEXT) && python_literal(text, n, &value);
    w->out->failed |= value.failed;
    if (ok && !value.failed) json_put_raw(w, value.data, value.len);
    buf_free(&value);
    return ok;
}

void calls_put_value(json_writer *w, const json *schema, const char *text, size_t n)
{
    unsigned types = types_of(schema);
    if (!put_json(w, types, text, n) && !put_python(w, types, text, n)) json_put_bytes(w, text, n);
}
