/* cmd_grammar.c - lory grammar: whether a text is one of a grammar's.
 * Layer: cli. */
#include "base/err.h"
#include "cli/cli.h"
#include <stdio.h>

typedef struct {
    constraint_opts constraint;
} grammar_opts;

#define AT(field) offsetof(grammar_opts, field)

static const opt_row rows[] = {
    { 0, NULL, OPT_GROUP, AT(constraint), .rows = constraint_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory grammar",
    .usage = "--grammar FILE | --json-schema FILE < TEXT",
    .about = "Checks that the whole of standard input is a text of the grammar: every byte of it, "
             "a line's end at its end too (but behind JSON). The exit status is 0 when it is, 1 "
             "with the first byte that cannot be there when it is not, and 2 when the grammar "
             "itself is wrong.",
    .rows = rows,
    .notes = "Grammars are written in GBNF, the notation of llama.cpp. A JSON Schema stands\n"
             "for the texts that constrained output may be: properties in the order of the\n"
             "schema, and no blanks but one behind each : and , (man lory says it all).\n\n"
             "Example:\n"
             "  echo 'root ::= \"yes\" | \"no\"' > answer.gbnf\n"
             "  printf yes | lory grammar --grammar answer.gbnf\n"
             "  printf '[1, 2]' | lory grammar --json-schema '{\"items\": {\"minimum\": 1}}'\n",
};

/* "stdin: byte N: ..." about the byte at `at`, the first that can't be there. */
static bool refuse(const buf *text, size_t at, lory_err *err)
{
    char found[8];
    if (at == text->len)
        return err_set(err, LORY_E_FORMAT,
                       "stdin: byte %zu: the text ends where the grammar wants more", at);
    unsigned char c = (unsigned char)text->data[at];
    snprintf(found, sizeof found, c > ' ' && c < 0x7F ? "'%c'" : "0x%02X", c);
    return err_set(err, LORY_E_FORMAT, "stdin: byte %zu: the grammar does not allow it (found %s)",
                   at, found);
}

/* Behind JSON a line's end has no meaning, so it may be there as files and pipes have it. */
static bool check(lory_grammar *g, bool is_json, lory_err *err)
{
    buf text = { 0 };
    size_t n_valid;
    bool is_whole, ok = cli_read_text(NULL, "the text", &text, err);
    if (is_json && text.len > 0 && text.data[text.len - 1] == '\n') {
        text.len--;
        if (text.len > 0 && text.data[text.len - 1] == '\r') text.len--;
    }
    ok = ok && lory_grammar_check(g, text.data, text.len, &n_valid, &is_whole, err)
         && (is_whole || refuse(&text, n_valid, err));
    buf_free(&text);
    return ok;
}

int cmd_grammar(int argc, char **argv)
{
    grammar_opts o = { 0 };
    cli_grammar g;
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    if (!cli_open_grammar(&o.constraint, &g, &status, &err))
        return status == EXIT_USAGE ? cli_usage("%s", err.text) : cli_fail(&err);
    if (!g.g)
        return cli_usage("grammar: none is given (expected --grammar FILE or --json-schema FILE)");
    status = check(g.g, o.constraint.schema != NULL, &err) ? EXIT_OK : cli_fail(&err);
    lory_grammar_free(g.g);
    return status;
}
