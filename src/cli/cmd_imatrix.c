/* cmd_imatrix.c - lory imatrix: runs a text through a model and writes, for every weight matrix,
 * how large the values are that each of its columns is multiplied with.
 *
 * The sums are the same bits for any number of threads and batch size: each column is added up by
 * one thread, in double precision, over the tokens in their order.
 * Layer: cli, a file command. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "gguf/imatrix.h"
#include "gguf/name_table.h"
#include <string.h>

typedef struct {
    model_opts model;
    const char *text, *out;
    int n_threads, chunk_size, n_chunks;
    bool special, verbose;
} imatrix_opts;

#define AT(field) offsetof(imatrix_opts, field)

static const opt_row rows[] = {
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { 'f', "file", OPT_STR, AT(text), "TEXT", .help = "the text, '-' reads standard input" },
    { 'o', "output", OPT_STR, AT(out), "FILE", .help = "the importance matrix to make" },
    { 'c', "ctx-size", OPT_INT, AT(chunk_size), "N", .min = 2, .max = 1 << 20,
      .help = "tokens of a piece of the text",
      .shown = "512, or the model's own context where that is shorter" },
    { 0, "chunks", OPT_INT, AT(n_chunks), "N", .min = 1, .max = 1 << 30,
      .help = "most pieces that are read", .shown = "all" },
    { 't', "threads", OPT_INT, AT(n_threads), "N", .min = 1, .max = 1024, .help = "threads",
      .shown = "physical cores this process may use" },
    { 0, "special", OPT_BOOL, AT(special), .help = "read control-token text as control tokens" },
    { 'v', "verbose", OPT_BOOL, AT(verbose), .help = "tell the progress on standard error" },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory imatrix",
    .usage = "-m FILE -f TEXT -o FILE [options]",
    .about = "Runs a text through a model, piece by piece, and measures which columns of its "
             "weight matrices matter most: an importance matrix for lory quantize. The text "
             "should be of the kind the model is used for, some hundred pieces long.",
    .rows = rows,
    .notes = "The file is one that llama.cpp reads, too.\n\n"
             "Example:\n"
             "  lory imatrix -m model-f16.gguf -f text.txt -o model.imatrix\n",
};

/* ---- adding up ----------------------------------------------------------------------------- */

enum { MAX_PIECE = 512 }; /* tokens, where nothing else is said */

/* What is measured of every tensor of the file that could be a weight matrix. */
typedef struct {
    imatrix_sums *sums; /* [n] in file order */
    size_t n;
    name_table table; /* over sums */
    mem_arena arena;
} measure;

static bool is_matrix(const gguf_tensor *t)
{
    return t->n_dims >= 2 && t->ne[1] > 1 && t->ne[3] == 1;
}

static bool add_tensor(measure *m, const gguf_tensor *t)
{
    size_t n;
    if (!mem_mul((size_t)t->ne[0], (size_t)t->ne[2], &n)) return false;
    imatrix_sums *s = &m->sums[m->n++];
    *s = (imatrix_sums){ .name = t->name, .n_cols = t->ne[0], .n_matrices = t->ne[2] };
    s->sums = arena_new(&m->arena, n, sizeof *s->sums);
    s->counts = arena_new(&m->arena, (size_t)t->ne[2], sizeof *s->counts);
    *name_table_slot(&m->table, t->name) = (uint32_t)m->n;
    return s->sums && s->counts;
}

/* The names stay g's. */
static bool measure_open(measure *m, const gguf *g, lory_err *err)
{
    bool ok;
    *m = (measure){ .table = { .stride = sizeof *m->sums, .hash_key = g->hash_key } };
    m->sums = arena_new(&m->arena, g->n_tensors + 1, sizeof *m->sums);
    m->table.items = m->sums;
    m->table.slots = name_table_new(g->n_tensors, &m->table.n_slots);
    ok = m->sums && m->table.slots;
    for (size_t i = 0; ok && i < g->n_tensors; i++)
        if (is_matrix(&g->tensors[i])) ok = add_tensor(m, &g->tensors[i]);
    return ok || err_set(err, LORY_E_MEMORY, "%s: no memory for its sums", gguf_path(g));
}

static void measure_close(measure *m)
{
    mem_free(m->table.slots);
    arena_free(&m->arena);
}

/* A lory_on_input: this thread's share of the columns. */
static void on_input(void *user, const lory_matmul_input *in, int ith, int nth)
{
    const measure *m = user;
    const imatrix_sums *s = name_table_find(&m->table, (gguf_str){ in->name, in->n_name });
    if (!s || in->n_cols != s->n_cols || in->i_matrix >= s->n_matrices) return;
    double *sums = s->sums + (size_t)in->i_matrix * (size_t)s->n_cols;
    int64_t end = s->n_cols * (ith + 1) / nth;
    for (int it = 0; it < in->n_rows; it++) {
        const float *x = in->x + (size_t)it * in->ld;
        for (int64_t i = s->n_cols * ith / nth; i < end; i++)
            sums[i] += (double)x[i] * (double)x[i];
    }
    if (ith == 0) s->counts[in->i_matrix] += in->n_rows;
}

/* ---- the text ------------------------------------------------------------------------------ */

static bool read_ids(const imatrix_opts *o, const lory_model *m, lory_tokens *ids, lory_err *err)
{
    buf text = { 0 };
    unsigned flags = LORY_ADD_SPECIAL | (o->special ? LORY_PARSE_SPECIAL : 0u);
    bool ok = cli_read_text(o->text, "the text", &text, err)
              && lory_tokenize(m, text.data ? text.data : "", text.len, flags, ids, err);
    buf_free(&text);
    if (ok && ids->n > 1 && ids->id[ids->n - 1] == lory_token_eos(m)) ids->n--;
    return ok;
}

/* Whole pieces of the text; a text shorter than one is one. Each begins as a text does. */
static bool run_text(const imatrix_opts *o, lory_session *s, lory_tokens *ids, lory_token bos,
                     imatrix_origin *from, lory_err *err)
{
    size_t size = (size_t)lory_session_n_ctx(s);
    if (size > ids->n) size = ids->n;
    if (size < 2)
        return err_set(err, LORY_E_FORMAT,
                       "%s: too short to measure (found %zu token%s, expected at least 2)",
                       strcmp(o->text, "-") == 0 ? "stdin" : o->text, ids->n, plural(ids->n));
    size_t n = ids->n / size, n_most = o->n_chunks > 0 ? (size_t)o->n_chunks : UINT32_MAX;
    bool has_bos = ids->id[0] == bos, ok = true;
    progress bar;
    if (n > n_most) n = n_most;
    progress_begin(&bar, "imatrix", "tokens", n * size, o->verbose);
    for (size_t i = 0; ok && i < n; i++) {
        if (has_bos) ids->id[i * size] = bos;
        lory_session_truncate(s, 0);
        ok = lory_session_eval(s, ids->id + i * size, size, err);
        progress_at(&bar, (i + 1) * size);
    }
    progress_end(&bar);
    from->n_chunks = (uint32_t)n;
    from->chunk_size = (uint32_t)size;
    return ok;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void tell_result(const imatrix_opts *o, const measure *m, const imatrix_origin *from)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        double n_rows = 0.0;
        for (int64_t k = 0; k < m->sums[i].n_matrices; k++) n_rows += m->sums[i].counts[k];
        n += n_rows > 0.0;
    }
    cli_note("%s: %zu weight %s, %u piece%s of %u tokens", o->out, n,
             n == 1 ? "matrix" : "matrices", (unsigned)from->n_chunks, plural(from->n_chunks),
             (unsigned)from->chunk_size);
}

static bool measure_text(const imatrix_opts *o, lory_model *model, measure *m, lory_err *err)
{
    lory_model_info info;
    lory_model_get_info(model, &info);
    int n_own = info.n_ctx_train < MAX_PIECE ? info.n_ctx_train : MAX_PIECE;
    lory_session_params p = { .n_ctx = o->chunk_size ? o->chunk_size : n_own,
                              .n_threads = o->n_threads,
                              .on_input = on_input,
                              .on_input_user = m };
    lory_tokens ids = { 0 };
    imatrix_origin from = { .dataset = o->text };
    lory_session *s = lory_session_new(model, &p, err);
    bool ok = s && read_ids(o, model, &ids, err);
    cli_catch_interrupt(s); /* not before: nothing would end a read that waits */
    ok = ok && run_text(o, s, &ids, lory_token_bos(model), &from, err)
         && imatrix_write(o->out, m->sums, m->n, &from, err);
    if (ok) tell_result(o, m, &from);
    cli_catch_interrupt(NULL);
    lory_session_free(s);
    lory_tokens_free(&ids);
    return ok;
}

static bool make_imatrix(const imatrix_opts *o, lory_err *err)
{
    char bundled[BUNDLED_PATH_MAX];
    gguf g;
    measure m = { 0 };
    const char *path = cli_model_path(&o->model, bundled, err);
    lory_model *model = path ? cli_open_model(&o->model, err) : NULL;
    if (!model) return false;
    bool ok = gguf_open_whole(&g, path, err);
    if (ok) {
        ok = measure_open(&m, &g, err) && measure_text(o, model, &m, err);
        measure_close(&m);
        gguf_close(&g);
    }
    lory_model_close(model);
    return ok;
}

static int check_opts(const imatrix_opts *o)
{
    char bundled[BUNDLED_PATH_MAX];
    const char *const read[] = { o->text, cli_model_path(&o->model, bundled, NULL) };
    if (!o->text)
        return cli_usage("-f: is missing (expected the name of a text, '-' reads standard input)");
    if (!o->out) return cli_usage("-o: is missing (expected the name of the file to make)");
    return cli_check_output("-o", o->out, read, 2);
}

int cmd_imatrix(int argc, char **argv)
{
    imatrix_opts o = { 0 };
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    status = check_opts(&o);
    if (!status) status = make_imatrix(&o, &err) ? EXIT_OK : cli_fail(&err);
    opts_free(&page, &o);
    return status;
}
