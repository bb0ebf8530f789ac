/* cmd_tokenize.c - lory tokenize: text to ids, and back.
 * Layer: cli. */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 16 }; /* of output gathered before it is written */
enum { BOS_AS_FILE = -1, BOS_NEVER = 0, BOS_ALWAYS = 1 };

typedef struct {
    model_opts model;
    const char *text; /* NULL: stdin */
    int bos;
    bool special, decode, jsonl;
} tokenize_opts;

#define AT(field) offsetof(tokenize_opts, field)

static const opt_row rows[] = {
    { 'p', "prompt", OPT_STR, AT(text), "TEXT", .help = "the text, or with --decode the ids",
      .shown = "standard input" },
    { 0, "bos", OPT_SET, AT(bos), .min = BOS_ALWAYS,
      .help = "begin with the begin-of-text token, even where the model does not ask for it" },
    { 0, "no-bos", OPT_SET, AT(bos), .min = BOS_NEVER, .help = "add no begin or end token" },
    { 0, "special", OPT_BOOL, AT(special),
      .help = "read control-token text as control tokens; with --decode, show their text" },
    { 0, "decode", OPT_BOOL, AT(decode),
      .help = "turn ids into text: a JSON array, or numbers between spaces or commas" },
    { 0, "jsonl", OPT_BOOL, AT(jsonl),
      .help = "read a JSON object a line from standard input, answer each with a line" },
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory tokenize",
    .usage = "[-p TEXT] [options] [< TEXT]",
    .about = "Prints the token ids of a text as one JSON array, or with --decode the text of ids. "
             "Needs the vocabulary of a model only.",
    .rows = rows,
    .notes = "A line of --jsonl is\n"
             "  {\"text\": \"...\", \"add_special\": bool, \"parse_special\": bool}\n"
             "with the last two optional, and its answer {\"ids\": [...]}. With --decode it is\n"
             "{\"ids\": [...]}, and its answer {\"text\": \"...\"}.\n\n"
             "Examples:\n"
             "  lory tokenize -p \"Once upon a time\"\n"
             "  lory tokenize < story.txt | lory tokenize --decode\n",
    .loose = "-p",
};

/* ---- text to ids ------------------------------------------------------------------------- */

/* With the begin token in front whether or not the file asks for it. */
static bool force_bos(const lory_model *m, lory_tokens *ids, lory_err *err)
{
    lory_token bos = lory_token_bos(m);
    if (bos < 0)
        return err_set(err, LORY_E_UNSUPPORTED, "--bos: the model has no begin-of-text token");
    if (ids->n > 0 && ids->id[0] == bos) return true;
    if (!cli_add_id(ids, bos)) return err_set(err, LORY_E_MEMORY, "--bos: no memory");
    memmove(ids->id + 1, ids->id, (ids->n - 1) * sizeof ids->id[0]);
    ids->id[0] = bos;
    return true;
}

static bool encode(const lory_model *m, const tokenize_opts *o, const char *text, size_t n,
                   lory_tokens *ids, lory_err *err)
{
    unsigned flags = (o->bos != BOS_NEVER ? LORY_ADD_SPECIAL : 0)
                     | (o->special ? LORY_PARSE_SPECIAL : 0);
    if (!lory_tokenize(m, text ? text : "", n, flags, ids, err)) return false;
    return o->bos != BOS_ALWAYS || force_bos(m, ids, err);
}

/* Writes the ids as they fit in a chunk, so that long texts need no second copy. */
static bool put_ids(const lory_tokens *ids, const char *before, const char *after)
{
    buf b = { 0 };
    bool ok = true; /* memory that b could not get, out_buf tells */
    json_writer w = { &b, false };
    buf_puts(&b, before);
    json_begin_array(&w);
    for (size_t i = 0; i < ids->n && ok; i++) {
        json_put_int(&w, ids->id[i]);
        if (b.len > CHUNK_BYTES) ok = out_buf(&b);
    }
    json_end_array(&w);
    buf_puts(&b, after);
    ok = ok && out_buf(&b);
    buf_free(&b);
    return ok;
}

static int tokenize_text(const lory_model *m, const tokenize_opts *o, const char *text, size_t n)
{
    lory_tokens ids = { 0 };
    lory_err err;
    int status = EXIT_FAILED;
    if (!encode(m, o, text, n, &ids, &err))
        status = cli_fail(&err);
    else if (put_ids(&ids, "", "\n"))
        status = EXIT_OK;
    lory_tokens_free(&ids);
    return status;
}

/* ---- ids to text ------------------------------------------------------------------------- */

static bool decode(const lory_model *m, bool special, const lory_tokens *ids, buf *text,
                   lory_err *err)
{
    const char *piece;
    size_t n;
    lory_detok *d = lory_detok_new(m, special ? LORY_SHOW_SPECIAL : 0, false);
    bool ok = d || err_set(err, LORY_E_MEMORY, "tokenize: no memory");
    for (size_t i = 0; i < ids->n && ok; i++) {
        ok = lory_detok_put(d, ids->id[i], &piece, &n, err);
        if (ok) buf_put(text, piece, n);
    }
    if (ok) {
        lory_detok_flush(d, &piece, &n);
        buf_put(text, piece, n);
    }
    lory_detok_free(d);
    if (ok && text->failed)
        return err_set(err, LORY_E_MEMORY, "tokenize: no memory for %zu bytes of text", text->len);
    return ok;
}

static int decode_text(const lory_model *m, const tokenize_opts *o, const char *text, size_t n)
{
    lory_tokens ids = { 0 };
    lory_model_info info;
    lory_err err;
    buf out = { 0 };
    int status = EXIT_FAILED;
    lory_model_get_info(m, &info);
    if (!cli_read_ids(o->text ? "-p" : "stdin", text ? text : "", n, info.n_vocab, &ids, &err)
        || !decode(m, o->special, &ids, &out, &err))
        status = cli_fail(&err);
    else if (out_buf(&out))
        status = EXIT_OK;
    if (status == EXIT_OK && out_is_terminal()) out_put("\n", 1);
    buf_free(&out);
    lory_tokens_free(&ids);
    return status;
}

/* ---- JSON lines -------------------------------------------------------------------------- */

/* An optional member that must be a bool when it is there. */
static bool get_flag(const lines *j, const json *line, const char *key, bool *v, lory_err *err)
{
    const json *x = json_get(line, key);
    return !x || json_get_bool(x, v) || jsonl_wrong(j, err, "\"%s\" is not true or false", key);
}

static bool encode_line(const lory_model *m, const tokenize_opts *o, const lines *j,
                        const json *line, lory_err *err)
{
    const char *text;
    size_t n;
    bool add = o->bos != BOS_NEVER;
    tokenize_opts of_line = *o;
    lory_tokens ids = { 0 };
    if (!json_get_str(json_get(line, "text"), &text, &n))
        return jsonl_wrong(j, err, "no \"text\" string");
    if (!get_flag(j, line, "add_special", &add, err)) return false;
    if (!get_flag(j, line, "parse_special", &of_line.special, err)) return false;
    if (!add) of_line.bos = BOS_NEVER;
    else if (o->bos != BOS_ALWAYS) of_line.bos = BOS_AS_FILE;
    bool ok = encode(m, &of_line, text, n, &ids, err);
    if (ok) put_ids(&ids, "{\"ids\":", "}\n");
    lory_tokens_free(&ids);
    return ok;
}

static bool read_line_ids(const lines *j, const json *list, int n_vocab, lory_tokens *ids,
                          lory_err *err)
{
    if (!list || list->type != JSON_ARRAY) return jsonl_wrong(j, err, "no \"ids\" array");
    for (const json *x = list->first; x; x = x->next) {
        int64_t id;
        if (!json_get_int(x, &id) || id < 0 || id >= n_vocab)
            return jsonl_wrong(j, err, "id %zu is not a token id (expected 0 to %d)", ids->n + 1,
                               n_vocab - 1);
        if (!cli_add_id(ids, (lory_token)id)) return jsonl_wrong(j, err, "no memory");
    }
    return true;
}

static bool decode_line(const lory_model *m, const tokenize_opts *o, const lines *j,
                        const json *line, lory_err *err)
{
    lory_tokens ids = { 0 };
    lory_model_info info;
    buf text = { 0 }, b = { 0 };
    json_writer w = { &b, false };
    lory_model_get_info(m, &info);
    bool ok = read_line_ids(j, json_get(line, "ids"), info.n_vocab, &ids, err)
              && decode(m, o->special, &ids, &text, err);
    if (ok) {
        json_begin_object(&w);
        json_member_bytes(&w, "text", text.data, text.len);
        json_end_object(&w);
        buf_putc(&b, '\n');
        out_buf(&b);
    }
    buf_free(&text);
    buf_free(&b);
    lory_tokens_free(&ids);
    return ok;
}

static int answer_lines(const lory_model *m, const tokenize_opts *o)
{
    lines j = jsonl_of(STDIN_FILENO, "stdin");
    json_doc d;
    lory_err err;
    jsonl_result got = JSONL_END;
    bool ok = true;
    cli_tell_stdin("the lines");
    while (ok && (got = jsonl_next(&j, &d, &err)) == JSONL_VALUE) {
        ok = o->decode ? decode_line(m, o, &j, d.root, &err) : encode_line(m, o, &j, d.root, &err);
        json_close(&d);
        if (ok && !out_flush()) break; /* each answer at once: the asker may wait for it */
    }
    lines_close(&j);
    if (!ok || got == JSONL_FAILED) return cli_fail(&err);
    return got == JSONL_END ? EXIT_OK : EXIT_FAILED;
}

/* ---- the command ------------------------------------------------------------------------- */

static int tokenize(const lory_model *m, const tokenize_opts *o)
{
    lory_err err;
    buf in = { 0 };
    int status;
    if (o->jsonl) return answer_lines(m, o);
    bool ok = o->text || cli_read_text(NULL, o->decode ? "the ids" : "the text", &in, &err);
    const char *text = o->text ? o->text : in.data;
    size_t n = o->text ? strlen(o->text) : in.len;
    if (!ok)
        status = cli_fail(&err);
    else if (o->decode)
        status = decode_text(m, o, text, n);
    else
        status = tokenize_text(m, o, text, n);
    buf_free(&in);
    return status;
}

int cmd_tokenize(int argc, char **argv)
{
    tokenize_opts o = { .bos = BOS_AS_FILE };
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    if (o.jsonl && o.text)
        return cli_usage("-p: cannot go with --jsonl, which reads standard input");
    lory_model *m = cli_open_model(&o.model, &err);
    status = m ? tokenize(m, &o) : cli_fail(&err);
    lory_model_close(m);
    return status;
}
