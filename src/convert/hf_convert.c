/* hf_convert.c - see hf_convert.h. */
#include "convert/hf_convert.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "convert/hf_vocab.h"
#include "convert/tensors.h"
#include <inttypes.h>
#include <limits.h>
#include <string.h>

typedef struct {
    hf_folder folder;
    const hf_family *family;
    config c;
    hf_shape shape;
    hf_tensors tensors;
    hf_vocab vocab;
    const convert_params *p;
    buf *notes;
    gguf_writer w;
} work;

/* ---- general.* ------------------------------------------------------------------------------ */

/* "7B", "1.5B", "8x164K": of the weights, as models are called; two digits at least. */
static void size_label(const work *k, char out[48])
{
    static const struct {
        double size;
        char letter;
    } units[] = { { 1e12, 'T' }, { 1e9, 'B' }, { 1e6, 'M' }, { 1e3, 'K' } };
    tensors_count n = tensors_weights(&k->tensors);
    bool has_experts = k->shape.n_expert > 0 && n.n_expert > 0;
    double weights = (double)(has_experts ? n.n_shared + n.n_expert : n.n_total);
    char experts[24] = "";
    int i = 0;
    while (i < 3 && weights <= units[i].size) i++;
    double scaled = weights / units[i].size;
    if (has_experts) snprintf(experts, sizeof experts, "%" PRId64 "x", k->shape.n_expert);
    snprintf(out, 48, "%s%.*f%c", experts,
             scaled < 0.5   ? 2
             : scaled < 9.5 ? 1
                            : 0,
             scaled, units[i].letter);
}

static void put_general(work *k)
{
    char label[48];
    qtype type = k->tensors.has_mxfp4 ? QT_MXFP4 : k->tensors.type;
    size_label(k, label);
    gguf_put_str(&k->w, "general.architecture", k->family->arch);
    gguf_put_str(&k->w, "general.type", "model");
    gguf_put_bytes(&k->w, "general.name", folder_name(k->folder.path));
    gguf_put_str(&k->w, "general.size_label", label);
    if (retype_file_type(type) >= 0)
        gguf_put_u32(&k->w, "general.file_type", (uint32_t)retype_file_type(type));
    gguf_put_u32(&k->w, "general.quantization_version", 2);
}

/* What generation_config.json advises; a model that is meant to be greedy says so by do_sample. */
static void put_sampling(work *k)
{
    static const struct {
        const char *name, *key;
        bool is_int;
    } rows[] = {
        { "temperature", "general.sampling.temp", false },
        { "top_k", "general.sampling.top_k", true },
        { "top_p", "general.sampling.top_p", false },
        { "min_p", "general.sampling.min_p", false },
        { "typical_p", "general.sampling.typ_p", false },
        { "repetition_penalty", "general.sampling.penalty_repeat", false },
    };
    const json *g = k->folder.generation.root;
    bool samples = true;
    double v;
    json_get_bool(json_get(g, "do_sample"), &samples);
    for (size_t i = 0; samples && i < sizeof rows / sizeof rows[0]; i++) {
        if (!json_get_num(json_get(g, rows[i].name), &v) || v < 0 || v > 1e6) continue;
        if (rows[i].is_int)
            gguf_put_u32(&k->w, rows[i].key, (uint32_t)v);
        else
            gguf_put_f32(&k->w, rows[i].key, (float)v);
    }
}

/* ---- chat template --------------------------------------------------------------------------- */

static gguf_str text_of(const json *j)
{
    gguf_str s = { NULL, 0 };
    json_get_str(j, &s.s, &s.n);
    return s;
}

/* [{"name": "default", "template": ".."}, ..]: the others go under their names. */
static bool put_named(work *k, const json *list, lory_err *err)
{
    char key[128];
    size_t n = 0;
    gguf_str *names = mem_new(list->n, sizeof *names);
    if (!names) return err_set(err, LORY_E_MEMORY, "%s: out of memory", k->folder.path);
    for (const json *j = list->first; j; j = j->next) {
        gguf_str name = text_of(json_get(j, "name")), text = text_of(json_get(j, "template"));
        if (!name.s || !text.s || name.n > 64) continue;
        if (gguf_str_is(name, "default")) {
            gguf_put_bytes(&k->w, "tokenizer.chat_template", text);
            continue;
        }
        names[n++] = name;
        snprintf(key, sizeof key, "tokenizer.chat_template.%s", name.s);
        gguf_put_bytes(&k->w, key, text);
    }
    if (n) gguf_put_strs(&k->w, "tokenizer.chat_templates", names, n);
    mem_free(names);
    return true;
}

static bool put_template(work *k, const json *j, lory_err *err)
{
    gguf_str s = text_of(j);
    if (s.s) gguf_put_bytes(&k->w, "tokenizer.chat_template", s);
    return !j || j->type != JSON_ARRAY || put_named(k, j, err);
}

static bool put_template_file(work *k, const char *name, const char *key, lory_err *err)
{
    buf text = { 0 };
    bool ok = folder_text(&k->folder, name, &text, err);
    if (ok) gguf_put_bytes(&k->w, key, (gguf_str){ text.data ? text.data : "", text.len });
    buf_free(&text);
    return ok;
}

#define MORE_TEMPLATES "additional_chat_templates"

/* The files of that folder, each name behind the one before. */
static bool put_listed(work *k, const buf *files, lory_err *err)
{
    char path[PATH_MAX], key[PATH_MAX];
    size_t n = 0;
    gguf_str *names = mem_new(files->len, sizeof *names); /* more than there are */
    bool ok = names || err_set(err, LORY_E_MEMORY, "%s: out of memory", k->folder.path);
    for (const char *file = files->data, *end = file + files->len; ok && file < end;
         file += strlen(file) + 1) {
        names[n] = (gguf_str){ file, strlen(file) - strlen(".jinja") };
        snprintf(path, sizeof path, MORE_TEMPLATES "/%s", file);
        snprintf(key, sizeof key, "tokenizer.chat_template.%.*s", (int)names[n].n, file);
        ok = put_template_file(k, path, key, err);
        n++;
    }
    if (ok) gguf_put_strs(&k->w, "tokenizer.chat_templates", names, n);
    mem_free(names);
    return ok;
}

/* NAME.jinja in a folder of their own: the others beside chat_template.jinja, as transformers
 * keeps them. */
static bool put_more(work *k, lory_err *err)
{
    char path[PATH_MAX];
    buf files = { 0 };
    snprintf(path, sizeof path, "%s/" MORE_TEMPLATES, k->folder.path);
    bool ok = file_list(path, ".jinja", &files, err);
    if (ok && files.len > 0) ok = put_listed(k, &files, err);
    buf_free(&files);
    return ok;
}

static bool put_chat_template(work *k, lory_err *err)
{
    static const char file[] = "chat_template.jinja";
    json_doc d;
    bool ok = true;
    if (folder_has(&k->folder, file))
        return put_template_file(k, file, "tokenizer.chat_template", err) && put_more(k, err);
    const json *j = json_get(k->folder.tok_config.root, "chat_template");
    if (j) return put_template(k, j, err);
    if (!folder_json(&k->folder, "chat_template.json", &d, err)) return false;
    ok = put_template(k, json_get(d.root, "chat_template"), err);
    json_close(&d);
    return ok;
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void note_unused(const work *k)
{
    const char *at = k->tensors.unused.data;
    for (at = at ? at : ""; *at; at += strcspn(at, "\n") + 1)
        buf_printf(k->notes, "%s: not used: %.*s\n", k->folder.path, (int)strcspn(at, "\n"), at);
}

/* Where it is lost, the embedding takes its place in every reader. */
static void note_output(const work *k)
{
    bool is_tied = true;
    json_get_bool(config_find(&k->c, "tie_word_embeddings"), &is_tied);
    for (size_t i = 0; i < k->tensors.n; i++)
        if (gguf_str_is(k->tensors.infos[i].name, "output.weight")) return;
    if (!is_tied)
        buf_printf(k->notes, "%s: has no output matrix, though config.json says that it is not the "
                             "embedding (tie_word_embeddings false)\n", k->folder.path);
}

static void note_vocab(const work *k)
{
    if (!k->vocab.model)
        buf_printf(k->notes, "%s: has no tokenizer; the model will take token ids only\n",
                   k->folder.path);
    if (k->vocab.n_dropped)
        buf_printf(k->notes, "%s: %zu tokens are left out, because the embedding has %zu rows\n",
                   k->folder.path, k->vocab.n_dropped, k->vocab.n);
}

static void note_around(const work *k, size_t n, const char *side)
{
    if (n > 1)
        buf_printf(k->notes,
                   "%s: texts get none of the %zu tokens that tokenizer.json puts %s them; "
                   "GGUF has room for one\n",
                   k->folder.path, n, side);
}

/* What the folder says of texts and GGUF can't; Phi-3's white space goes by the architecture. */
static void note_lost(const work *k)
{
    if (k->vocab.n_spaced && strncmp(k->family->arch, "phi", 3) != 0)
        buf_printf(k->notes,
                   "%s: %zu added tokens take white space along or are whole words only (lstrip, "
                   "rstrip, single_word), which GGUF can't say\n",
                   k->folder.path, k->vocab.n_spaced);
    if (k->vocab.lacks_nfc)
        buf_printf(k->notes,
                   "%s: texts will not be brought to normal form C, which GGUF can't say of a "
                   "pre-tokenizer '%s'\n",
                   k->folder.path, k->vocab.pre);
    note_around(k, k->vocab.before.n, "before");
    note_around(k, k->vocab.behind.n, "behind");
}

static void put_notes(const work *k)
{
    note_unused(k);
    note_output(k);
    note_vocab(k);
    note_lost(k);
}

/* ---- the work -------------------------------------------------------------------------------- */

static int64_t n_rows_of_embedding(const hf_tensors *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (gguf_str_is(t->infos[i].name, "token_embd.weight")) return t->infos[i].ne[1];
    return 0;
}

static bool check_quantization(const work *k, lory_err *err)
{
    const json *method =
        json_get(json_get(k->folder.config.root, "quantization_config"), "quant_method");
    if (!method || json_str_is(method, "fp8") || json_str_is(method, "mxfp4")
        || json_str_is(method, "fbgemm_fp8") || json_str_is(method, "compressed-tensors"))
        return true;
    return err_set(
        err, LORY_E_UNSUPPORTED,
        "%s: weights quantised by '%.64s' are not known (known: fp8, mxfp4); convert the "
        "model that they were made from",
        k->folder.path, method->type == JSON_STRING ? method->str : "?");
}

/* An encoder that has the class of a decoder. */
static bool check_direction(const work *k, lory_err *err)
{
    const json *both = config_find(&k->c, "use_bidirectional_attention");
    bool is_causal = true, is_both = json_str_is(both, "all"); /* "vision": among images only */
    json_get_bool(config_find(&k->c, "is_causal"), &is_causal);
    json_get_bool(both, &is_both);
    if (is_causal && !is_both) return true;
    return err_set(err, LORY_E_UNSUPPORTED, "%s: attention in both directions (%s) is not known",
                   k->folder.path, is_both ? "use_bidirectional_attention" : "is_causal false");
}

/* All that does not write. */
static bool plan(work *k, lory_err *err)
{
    hf_folder *f = &k->folder;
    qtype wanted = k->p->type == RETYPE_KEEP ? QT_COUNT : k->p->type;
    if (!check_quantization(k, err) || !(k->family = family_find(f->config.root, f->path, err)))
        return false;
    k->c = (config){
        .root = config_text(f->config.root), .path = f->path, .arch = k->family->arch, .w = &k->w,
        .folder = f
    };
    if (!check_direction(k, err)) return false;
    family_shape(k->family, &k->c, &k->shape);
    return config_ok(&k->c, err)
           && tensors_plan(&k->tensors, k->family, &k->c, &k->shape, wanted, err)
           && hf_vocab_read(&k->vocab, f, n_rows_of_embedding(&k->tensors), k->family->arch, err);
}

/* Numbers and tensors that contradict each other are found when the whole is opened. */
static bool may_stay(work *k, lory_err *err)
{
    if (!k->p->check) return true;
    const char *path = file_name_so_far(&k->w.file, err);
    return path && k->p->check(k->p->check_user, path, err);
}

static bool write_all(work *k, const retype_job *job, lory_err *err)
{
    put_general(k);
    k->family->put_keys(&k->c, &k->shape);
    put_sampling(k);
    hf_vocab_put(&k->vocab, &k->w);
    if (!config_ok(&k->c, err) || !put_chat_template(k, err)) return false;
    retype_announce(job, &k->w);
    if (!gguf_begin_data(&k->w, err) || !retype_write(job, &k->w, err)) return false;
    put_notes(k); /* before the check: they may tell why the model does not run */
    return may_stay(k, err) && gguf_commit(&k->w, err);
}

static bool convert(work *k, lory_err *err)
{
    if (!plan(k, err) || !gguf_create(&k->w, k->p->out, err)) return false;
    retype_job job = { .tensors = k->tensors.infos,
                       .n = k->tensors.n,
                       .type = RETYPE_KEEP,
                       .n_threads = k->p->n_threads,
                       .row = tensors_row,
                       .bytes = tensors_bytes,
                       .done = tensors_done,
                       .source = &k->tensors,
                       .progress = k->p->progress,
                       .user = k->p->user };
    bool ok = write_all(k, &job, err);
    if (!ok) gguf_abandon(&k->w);
    return ok;
}

bool hf_convert(const char *folder, const convert_params *p, buf *notes, lory_err *err)
{
    work k = { .p = p, .notes = notes };
    if (!folder_open(&k.folder, folder, err)) return false;
    bool ok = convert(&k, err);
    hf_vocab_free(&k.vocab);
    tensors_free(&k.tensors);
    folder_close(&k.folder);
    return ok;
}
