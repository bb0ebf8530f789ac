/* batch_grammar.c - see batch_grammar.h. */
#include "cli/batch_grammar.h"
#include "base/err.h"
#include <string.h>

void batch_grammars_free(batch_grammars *all)
{
    for (size_t i = 0; i < all->n; i++) {
        buf_free(&all->kept[i].schema);
        lory_grammar_free(all->kept[i].g);
    }
    *all = (batch_grammars){ 0 };
}

/* The place of a schema that is kept, or for a new one: that of the one used longest ago. */
static size_t place_of(batch_grammars *all, const buf *schema)
{
    size_t oldest = 0;
    for (size_t i = 0; i < all->n; i++) {
        const buf *have = &all->kept[i].schema;
        if (have->len == schema->len && memcmp(have->data, schema->data, have->len) == 0) return i;
        if (all->kept[i].last_use < all->kept[oldest].last_use) oldest = i;
    }
    if (all->n < BATCH_MAX_GRAMMARS) return all->n;
    buf_free(&all->kept[oldest].schema);
    lory_grammar_free(all->kept[oldest].g);
    all->kept[oldest].g = NULL;
    return oldest;
}

/* Takes the text. */
static bool grammar_of(batch_grammars *all, buf *schema, lory_grammar **g, lory_err *err)
{
    size_t i = place_of(all, schema);
    bool is_new = i == all->n || !all->kept[i].g;
    all->kept[i].last_use = ++all->n_uses;
    if (is_new) {
        all->n += i == all->n;
        all->kept[i].schema = *schema;
        *schema = (buf){ 0 };
        all->kept[i].g = lory_grammar_from_schema(all->kept[i].schema.data, all->kept[i].schema.len,
                                                  "\"response_format\"", err);
    }
    if (all->kept[i].g)
        *g = lory_grammar_keep(all->kept[i].g);
    else
        all->kept[i].last_use = 0; /* its place is the next to be taken */
    return all->kept[i].g != NULL;
}

bool batch_read_format(batch_grammars *all, const json *format, lory_grammar **g, lory_err *err)
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
    bool ok = !text.failed ? grammar_of(all, &text, g, err)
                           : err_set(err, LORY_E_MEMORY, "no memory for the line");
    buf_free(&text);
    return ok;
}
