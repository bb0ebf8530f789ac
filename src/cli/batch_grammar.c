/* batch_grammar.c - see batch_grammar.h. */
#include "cli/batch_grammar.h"
#include "base/err.h"

static void free_grammar(void *g)
{
    lory_grammar_free(g);
}

kept batch_grammars(void)
{
    return (kept){ .free_value = free_grammar };
}

bool batch_grammar_of(kept *grammars, buf *schema, const char *name, lory_grammar **g,
                      lory_err *err)
{
    lory_grammar *have = schema->failed ? NULL : kept_find(grammars, schema);
    *g = NULL;
    if (!have && schema->failed) return err_set(err, LORY_E_MEMORY, "no memory for the line");
    if (!have) {
        have = lory_grammar_from_schema(schema->data, schema->len, name, err);
        if (!have) return false;
        kept_put(grammars, schema, have);
    }
    *g = lory_grammar_keep(have);
    return true;
}

bool batch_read_format(kept *grammars, const json *format, lory_grammar **g, lory_err *err)
{
    const json *type = json_get(format, "type"), *named = json_get(format, "json_schema");
    const json *schema = json_get(named ? named : format, "schema");
    buf text = { 0 };
    *g = NULL;
    if (json_str_is(type, "text")) return true;
    if (!json_str_is(type, "json_object") && !json_str_is(type, "json_schema"))
        return err_set(err, LORY_E_ARGUMENT,
                       "\"response_format\": the type is not \"text\", \"json_object\" or "
                       "\"json_schema\"");
    if (json_str_is(type, "json_schema") && !schema)
        return err_set(err, LORY_E_ARGUMENT, "\"response_format\" has no \"schema\"");
    if (schema)
        json_put_value(&(json_writer){ &text, false }, schema);
    else
        buf_puts(&text, "{\"type\":\"object\"}");
    bool ok = batch_grammar_of(grammars, &text, "\"response_format\"", g, err);
    buf_free(&text);
    return ok;
}
