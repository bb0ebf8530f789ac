/* cmd_convert.c - lory convert: a Hugging Face folder, a llama2.c checkpoint, or a GGUF file in
 * another type, as GGUF.
 * Layer: cli, a file command. */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/inspect.h"
#include "cli/progress.h"
#include "convert/hf_convert.h"
#include "convert/lora_convert.h"
#include "convert/peft.h"
#include "gguf/convert.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *src, *out, *type, *tokenizer, *base;
    bool verbose;
} convert_opts;

#define AT(field) offsetof(convert_opts, field)

static const opt_row rows[] = {
    { 0, "SRC", OPT_ARG, AT(src),
      .help = "a Hugging Face folder (of a model, or of a PEFT adapter), a llama2.c checkpoint "
              "(.bin) or a GGUF file" },
    { 'o', "output", OPT_STR, AT(out), "OUT.gguf", .help = "the file to make" },
    { 0, "type", OPT_STR, AT(type), "TYPE",
      .help = "type of the weight matrices: f32, f16, bf16, q8_0, q4_0, ...",
      .shown = "as in SRC; f32 for checkpoints" },
    { 0, "tokenizer", OPT_STR, AT(tokenizer), "FILE", .help = "the tokenizer.bin of a checkpoint",
      .shown = "tokenizer.bin beside SRC" },
    { 0, "base", OPT_STR, AT(base), "PATH",
      .help = "the model that an adapter is for: its folder or GGUF file",
      .shown = "where the adapter says" },
    { 'v', "verbose", OPT_BOOL, AT(verbose), .help = "tell the progress on standard error" },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory convert",
    .usage = "SRC -o OUT.gguf [options]",
    .about =
        "Makes a GGUF file from a Hugging Face model folder (config.json, safetensors, tokenizer), "
        "from a llama2.c checkpoint of any version, or from another GGUF file with its weights in "
        "another type. OUT.gguf appears when it is whole.",
    .rows = rows,
    .notes = "Vectors stay f32, and some matrices that are used as floats (routers, say) are\n"
             "not quantised. A matrix whose rows are no whole number of the type's blocks\n"
             "becomes f16. The int8 weights of a checkpoint of version 2 become f32, which has\n"
             "them exactly; --type q8_0 rounds their scales to 16 bits.\n\n"
             "The folder of a PEFT adapter (adapter_config.json, adapter_model.safetensors)\n"
             "becomes a LoRA file, for --lora. Of --base only config.json, or the keys of the\n"
             "GGUF file, are read.\n\n"
             "Examples:\n"
             "  lory convert my-adapter/ -o adapter.gguf --base Qwen2.5-0.5B/\n"
             "  lory convert Qwen2.5-0.5B/ -o qwen2.5-0.5b.gguf\n"
             "  lory convert stories15M.bin -o stories15M.gguf\n"
             "  lory convert model-f16.gguf -o model-q8_0.gguf --type q8_0\n",
};

/* ---- options ----------------------------------------------------------------------------- */

static const char *nearest_type(const char *name)
{
    const char *best = qtypes[0].name;
    for (int i = 0; i < QT_COUNT; i++)
        if (opts_distance(name, qtypes[i].name) < opts_distance(name, best)) best = qtypes[i].name;
    return best;
}

static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Whether out is a file of the folder that no conversion made: one that is read, perhaps. */
static bool is_source(const char *folder, const char *out)
{
    char path[PATH_MAX];
    const char *slash = strrchr(out, '/'), *end = strrchr(out, '.');
    if (end && strcmp(end, ".gguf") == 0) return false;
    int n = snprintf(path, sizeof path, "%s/%s", folder, slash ? slash + 1 : out);
    return n > 0 && (size_t)n < sizeof path && file_is_same(path, out);
}

/* 0, or the status after a line on stderr. */
static int check(const convert_opts *o, qtype *type)
{
    *type = o->type ? qtype_from_name(o->type) : RETYPE_KEEP;
    if (!o->out) return cli_usage("-o: is missing (expected the name of the GGUF file to make)");
    if (o->type && *type == QT_COUNT)
        return cli_usage("--type: unknown type '%.40s' (nearest: %s)", o->type,
                         nearest_type(o->type));
    if (o->tokenizer && is_folder(o->src))
        return cli_usage("--tokenizer: a folder has its own tokenizer");
    if (o->base && is_there(o->src) && !peft_is_adapter(o->src))
        return cli_usage("--base: is for adapters, and %s is none (it has no adapter_config.json)",
                         o->src);
    if (is_folder(o->src) && is_source(o->src, o->out))
        return cli_usage("-o: %.400s is a file of the folder that is read", o->out);
    const char *const read[] = { o->src, o->tokenizer, o->base };
    return cli_check_output("-o", o->out, read, 3);
}

/* ---- the work ---------------------------------------------------------------------------- */

/* Matrices that could not have the wanted type. */
static size_t count_odd(const gguf *g, qtype wanted)
{
    size_t n = 0;
    for (size_t i = 0; wanted != RETYPE_KEEP && i < g->n_tensors; i++)
        n += g->tensors[i].n_dims > 1 && g->tensors[i].ne[0] % qtypes[wanted].block_elems != 0
             && !retype_is_precise(g->tensors[i].name);
    return n;
}

/* "out.gguf: 57 tensors, 3.45 MB (f32 13, q8_0 44)": what was made, read back from it. */
static bool tell_result(const char *path, qtype wanted, lory_err *err)
{
    gguf g;
    gguf_type_use use[QT_COUNT];
    buf mix = { 0 };
    char size[32];
    if (!gguf_open(&g, path, err)) return false;
    gguf_count_types(&g, use);
    for (int i = 0; i < QT_COUNT; i++)
        if (use[i].n_tensors)
            buf_printf(&mix, "%s%s %zu", mix.len ? ", " : "", qtypes[i].name, use[i].n_tensors);
    cli_note("%s: %zu tensor%s, %s (%s)", path, g.n_tensors, plural(g.n_tensors),
             inspect_scaled((double)gguf_file_bytes(&g), "B", size),
             mix.len ? mix.data : "a vocabulary only");
    size_t n_odd = count_odd(&g, wanted);
    if (n_odd)
        cli_note("%s: %zu %s f16, because the rows are no whole number of %s blocks of %d", path,
                 n_odd, n_odd == 1 ? "matrix is" : "matrices are", qtypes[wanted].name,
                 qtypes[wanted].block_elems);
    buf_free(&mix);
    gguf_close(&g);
    return true;
}

static void tell_notes(const buf *notes)
{
    const char *at = notes->data ? notes->data : "";
    for (; *at; at += strcspn(at, "\n") + 1) cli_note("%.*s", (int)strcspn(at, "\n"), at);
}

/* What is wrong is told without the name of a file that nobody will see. */
static bool check_model(const void *opts, const char *path, lory_err *err)
{
    const convert_opts *o = opts;
    size_t n = strlen(path);
    lory_err why = { 0 };
    lory_model *m = lory_model_open(path, &why);
    lory_model_close(m);
    if (m || why.code == LORY_E_MEMORY) return true;
    bool has_name = strncmp(why.text, path, n) == 0 && strncmp(why.text + n, ": ", 2) == 0;
    return err_set(err, LORY_E_FORMAT, "%s: makes no model that runs: %.600s", o->src,
                   why.text + (has_name ? n + 2 : 0));
}

/* A file of a model's folder, given in place of the folder. */
static bool is_of_folder(const char *src)
{
    static const char *const ends[] = { ".safetensors", ".safetensors.index.json", "config.json" };
    size_t n = strlen(src);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (n >= strlen(ends[i]) && strcmp(src + n - strlen(ends[i]), ends[i]) == 0) return true;
    return false;
}

static bool convert_one(const char *src, const convert_params *p, lory_err *err)
{
    if (convert_file(src, p, err)) return true;
    if (err->code == LORY_E_FORMAT && is_of_folder(src))
        err_set(err, LORY_E_FORMAT, "%s: is one file of a model's folder (expected the folder)",
                src);
    return false;
}

static bool convert_any(const convert_opts *o, const convert_params *p, buf *notes, lory_err *err)
{
    if (peft_is_adapter(o->src)) return lora_convert(o->src, o->base, p, err);
    if (!is_folder(o->src)) return convert_one(o->src, p, err);
    return hf_convert(o->src, p, notes, err);
}

static int convert(const convert_opts *o, qtype type)
{
    lory_err err;
    buf notes = { 0 };
    progress_bytes shown = { .what = "convert", .verbose = o->verbose };
    convert_params p = { .out = o->out,
                         .tokenizer = o->tokenizer,
                         .type = type,
                         .n_threads = lory_default_threads(),
                         .progress = progress_on_bytes,
                         .user = &shown,
                         .check = check_model,
                         .check_user = o };
    cli_catch_interrupt(NULL);
    bool ok = convert_any(o, &p, &notes, &err);
    progress_end_bytes(&shown);
    tell_notes(&notes);
    buf_free(&notes);
    if (!ok || !tell_result(o->out, type, &err)) return cli_fail(&err);
    return EXIT_OK;
}

int cmd_convert(int argc, char **argv)
{
    convert_opts o = { 0 };
    qtype type;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    status = check(&o, &type);
    if (status == EXIT_OK) status = convert(&o, type);
    opts_free(&page, &o);
    return status;
}
