/* cmd_quantize.c - lory quantize: the weights of a GGUF file in another type or mix.
 * Layer: cli, a file command. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/inspect.h"
#include "cli/progress.h"
#include "gguf/convert.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *in, *out, *type, *imatrix;
    int n_threads;
    bool is_pure, verbose;
} quantize_opts;

#define AT(field) offsetof(quantize_opts, field)

static const opt_row rows[] = {
    { 0, "IN.gguf", OPT_ARG, AT(in), .help = "the file to read" },
    { 0, "OUT.gguf", OPT_ARG, AT(out), .help = "the file to make" },
    { 0, "TYPE", OPT_ARG, AT(type), .help = "a type or a mix, see below" },
    { 0, "imatrix", OPT_STR, AT(imatrix), "FILE",
      .help = "importance matrix of the model, as lory imatrix makes it" },
    { 0, "pure", OPT_BOOL, AT(is_pure), .help = "every matrix gets the type, none gets more bits" },
    { 't', "threads", OPT_INT, AT(n_threads), "N", .min = 1, .max = 1024, .help = "threads",
      .shown = "physical cores this process may use" },
    { 'v', "verbose", OPT_BOOL, AT(verbose), .help = "tell the progress on standard error" },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory quantize",
    .usage = "IN.gguf OUT.gguf TYPE [options]",
    .about = "Writes the weight matrices of a model in another type. OUT.gguf appears when it is "
             "whole, and its bytes do not depend on the number of threads.",
    .rows = rows,
    .notes = "Types, from fewer to more bits (a mix has matrices of several types):\n"
             "  q1_0 iq1_s iq1_m tq1_0 tq2_0 iq2_xxs iq2_xs q2_0 iq2_s iq2_m q2_k q2_k_s\n"
             "  iq3_xxs iq3_xs iq3_s iq3_m q3_k_s q3_k_m q3_k_l iq4_xs iq4_nl mxfp4 mxfp4_moe\n"
             "  nvfp4 q4_0 q4_1 q4_k_s q4_k_m q5_0 q5_1 q5_k_s q5_k_m q6_k q8_0 bf16 f16 f32\n"
             "Below three bits, use an importance matrix. Vectors stay as they are; a matrix\n"
             "whose rows do not fit the type's blocks gets a type of about the same size.\n\n"
             "Examples:\n"
             "  lory quantize model-f16.gguf model-q4_k_m.gguf q4_k_m\n"
             "  lory imatrix -m model-f16.gguf -f text.txt -o model.imatrix\n"
             "  lory quantize model-f16.gguf small.gguf iq2_m --imatrix model.imatrix\n",
};

/* ---- what became what ---------------------------------------------------------------------- */

enum { PATTERN_MAX = 48 };

/* Tensors of one name but for the layer's number, and one change of type. */
typedef struct {
    char pattern[PATTERN_MAX];
    qtype from, to;
    uint64_t n, from_bytes, to_bytes;
} change;

typedef struct {
    change *at; /* [n] */
    size_t n, cap;
} changes;

/* "blk.12.attn_q.weight" -> "blk.*.attn_q.weight"; bytes that a terminal might obey become '?'. */
static void make_pattern(gguf_str name, char out[PATTERN_MAX])
{
    size_t n = 0, i = 0;
    while (i < name.n && n < PATTERN_MAX - 1) {
        bool is_number = i == 4 && memcmp(name.s, "blk.", 4) == 0;
        out[n++] = is_number ? '*' : name.s[i] >= ' ' && name.s[i] < 127 ? name.s[i] : '?';
        i++;
        while (is_number && i < name.n && name.s[i] >= '0' && name.s[i] <= '9') i++;
    }
    out[n] = '\0';
}

static bool add_change(changes *c, const gguf_tensor *from, const gguf_tensor *to)
{
    char pattern[PATTERN_MAX];
    size_t i = 0;
    make_pattern(to->name, pattern);
    while (i < c->n
           && (c->at[i].from != from->type || c->at[i].to != to->type
               || strcmp(c->at[i].pattern, pattern) != 0))
        i++;
    if (i == c->cap) {
        change *more = mem_resize(c->at, c->cap, 2 * c->cap + 16, sizeof *more);
        if (!more) return false;
        c->at = more;
        c->cap = 2 * c->cap + 16;
    }
    if (i == c->n) {
        c->at[c->n] = (change){ .from = from->type, .to = to->type };
        memcpy(c->at[c->n++].pattern, pattern, sizeof pattern);
    }
    c->at[i].n++;
    c->at[i].from_bytes += from->n_bytes;
    c->at[i].to_bytes += to->n_bytes;
    return true;
}

static void print_changes(const changes *c)
{
    int width = 6;
    char from[32], to[32];
    for (size_t i = 0; i < c->n; i++)
        if ((int)strlen(c->at[i].pattern) > width) width = (int)strlen(c->at[i].pattern);
    fprintf(stderr, "%-*s  %7s  %-7s -> %-7s  %8s -> %8s\n", width, "tensor", "tensors", "from",
            "to", "size", "size");
    for (size_t i = 0; i < c->n; i++) {
        const change *x = &c->at[i];
        fprintf(stderr, "%-*s  %7" PRIu64 "  %-7s -> %-7s  %8s -> %8s\n", width, x->pattern, x->n,
                qtypes[x->from].name, qtypes[x->to].name,
                inspect_scaled((double)x->from_bytes, "B", from),
                inspect_scaled((double)x->to_bytes, "B", to));
    }
}

static uint64_t n_weights(const gguf *g)
{
    gguf_type_use use[QT_COUNT];
    uint64_t n = 0;
    gguf_count_types(g, use);
    for (int i = 0; i < QT_COUNT; i++) n += use[i].n_elems;
    return n;
}

/* Both files, side by side, read back. */
static bool tell_changes(const gguf *in, const gguf *out, lory_err *err)
{
    changes c = { 0 };
    char from[32], to[32];
    bool ok = true;
    for (size_t i = 0; ok && i < out->n_tensors && i < in->n_tensors; i++)
        ok = add_change(&c, &in->tensors[i], &out->tensors[i]);
    if (ok) print_changes(&c);
    mem_free(c.at);
    if (!ok) return err_set(err, LORY_E_MEMORY, "%s: no memory for the table", gguf_path(out));
    uint64_t n = n_weights(out);
    cli_note("%s: %s -> %s, %.2f bits per weight", gguf_path(out),
             inspect_scaled((double)gguf_file_bytes(in), "B", from),
             inspect_scaled((double)gguf_file_bytes(out), "B", to),
             n ? 8.0 * (double)out->tensor_bytes / (double)n : 0.0);
    return true;
}

static bool tell_result(const quantize_opts *o, lory_err *err)
{
    gguf in, out;
    if (!gguf_open_whole(&in, o->in, err)) return false;
    bool ok = gguf_open(&out, o->out, err);
    if (ok) {
        ok = tell_changes(&in, &out, err);
        gguf_close(&out);
    }
    gguf_close(&in);
    return ok;
}

/* ---- the work ------------------------------------------------------------------------------ */

static const char *nearest_mix(const char *name)
{
    const char *best = mixes[0].name;
    for (int i = 1; i < MIX_COUNT; i++)
        if (opts_distance(name, mixes[i].name) < opts_distance(name, best)) best = mixes[i].name;
    return best;
}

/* Says before the work what will make its result poor. */
static bool warn(const quantize_opts *o, const mix_row *mix, lory_err *err)
{
    gguf g;
    size_t n = 0;
    if (!gguf_open_whole(&g, o->in, err)) return false;
    for (size_t i = 0; i < g.n_tensors; i++) n += qtypes[g.tensors[i].type].n_sub > 0;
    gguf_close(&g);
    if (n > 0)
        cli_note("%s: %zu of its tensors are quantised already; their errors stay", o->in, n);
    if (mix->wants_importance && !o->imatrix)
        cli_note("%s: gives poor results without an importance matrix (lory imatrix makes one)",
                 mix->name);
    return true;
}

static bool quantize(const quantize_opts *o, const mix_row *mix, lory_err *err)
{
    imatrix importance = { 0 };
    if (o->imatrix && !imatrix_read(&importance, o->imatrix, err)) return false;
    if (!warn(o, mix, err)) return imatrix_free(&importance), false;
    mix_params params = { .mix = mix, .is_pure = o->is_pure, .has_importance = o->imatrix != NULL };
    progress_bytes shown = { .what = "quantize", .verbose = o->verbose };
    convert_params p = { .out = o->out,
                         .mix = &params,
                         .importance = o->imatrix ? &importance : NULL,
                         .n_threads = o->n_threads ? o->n_threads : lory_default_threads(),
                         .progress = progress_on_bytes,
                         .user = &shown };
    cli_catch_interrupt(NULL);
    bool ok = convert_file(o->in, &p, err);
    progress_end_bytes(&shown);
    imatrix_free(&importance);
    return ok && tell_result(o, err);
}

int cmd_quantize(int argc, char **argv)
{
    quantize_opts o = { 0 };
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    const char *const read[] = { o.in, o.imatrix };
    const mix_row *mix = mix_find(o.type);
    if (!mix)
        status = cli_usage("TYPE: unknown type '%.40s' (nearest: %s)", o.type, nearest_mix(o.type));
    else
        status = cli_check_output("OUT.gguf", o.out, read, 2);
    if (!status) status = quantize(&o, mix, &err) ? EXIT_OK : cli_fail(&err);
    opts_free(&page, &o);
    return status;
}
