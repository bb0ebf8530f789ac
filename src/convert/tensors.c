/* tensors.c - see tensors.h: the list of what will be made. */
#include "convert/tensors.h"
#include "base/err.h"
#include "convert/names.h"
#include "convert/tensor_rows.h"
#include "gguf/retype.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = HF_MAX_NAME, MAX_EXTRA = 4096, MAX_EXPERTS = 4096 };

/* What a model that does more than the next token of a text has beside it. */
static bool is_beside_text(const char *name)
{
    static const char *const parts[] = {
        "vision_tower.",           "vision_model.", "vision_encoder.", "visual.",
        "audio_tower.",            "patch_merger.", "mm_projector.",   "multi_modal_projector.",
        "vision_language_adapter.", "image_newline", "embed_vision.",   "embed_audio.",
        "vqmodel.",                "patch_merge_mlp.", "vision_adapter.", "vision_projection.",
        "connector.", "mlp1.", "projector.", "aligner.", "view_seperator", "vision.",
        "vision_embed_tokens.", "gen_vision_model.",
        "gen_aligner.", "gen_head.", "gen_embed.", "talker.", "token2wav.", "code2wav.",
        "vit_large_projector.",
        "mtp.", "mtp_layers.", /* further tokens */
    };
    if (strncmp(name, "thinker.", 8) == 0) name += 8;
    if (strncmp(name, "model.", 6) == 0) name += 6;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strncmp(name, parts[i], strlen(parts[i])) == 0) return true;
    return false;
}

/* ---- the plan under construction ----------------------------------------------------------- */

typedef struct {
    hf_tensors *t;
    const hf_folder *f;
    const hf_family *family;
    config *c;
    const hf_shape *shape;
    qtype wanted;
    bool has_output, is_tied;
    lory_err *err;
} planner;

static bool no_memory(const planner *p)
{
    return err_set(p->err, LORY_E_MEMORY, "%s: out of memory for %zu tensors", p->f->path,
                   p->f->n_tensors);
}

static bool wrong(const planner *p, const hf_tensor *t, const char *why)
{
    return err_set(p->err, LORY_E_UNSUPPORTED, "%s: tensor '%.*s' %s", p->f->path,
                   t->name.n < 120 ? (int)t->name.n : 120, t->name.s, why);
}

/* The name of the output and the suffix, in the arena. */
static bool make_name(planner *p, const hf_match *m, gguf_str *out)
{
    char name[MAX_NAME];
    names_fill(m->row->to, m->layer, name);
    strcat(name, m->suffix);
    size_t n = strlen(name);
    *out = (gguf_str){ arena_strndup(&p->t->arena, name, n), n };
    return out->s || no_memory(p);
}

/* The place of a row among those of its family. */
static int order_of(const hf_family *f, const hf_row *row)
{
    int n = 0;
    for (const hf_row *r = f->rows; r->from; r++, n++)
        if (r == row) return n;
    for (const hf_row *r = f->more_rows; r->from && r != row; r++) n++;
    return n;
}

bool tensors_reserve(hf_tensors *t, size_t n_more)
{
    size_t cap = t->cap ? 2 * t->cap : 64;
    if (t->n + n_more <= t->cap) return true;
    gguf_tensor *infos = mem_resize(t->infos, t->cap, cap, sizeof *infos);
    if (infos) t->infos = infos;
    hf_output *outputs = infos ? mem_resize(t->outputs, t->cap, cap, sizeof *outputs) : NULL;
    if (!outputs) return false;
    t->outputs = outputs;
    t->cap = cap;
    return true;
}

/* "NAME" with another end in place of `from`; NULL when absent or NAME does not end so. */
static hf_tensor *find_companion(const planner *p, gguf_str name, const char *from, const char *to)
{
    char other[MAX_NAME];
    if (!gguf_str_ends(name, from) || name.n + strlen(to) >= MAX_NAME) return NULL;
    int n = (int)(name.n - strlen(from));
    int len = snprintf(other, sizeof other, "%.*s%s", n, name.s, to);
    return folder_find(p->f, other, (size_t)len);
}

static bool is_f8(st_dtype t)
{
    return t == ST_F8_E4M3 || t == ST_F8_E5M2;
}

/* The scales that belong to weights of 8 or 4 bits, or NULL. */
static hf_tensor *find_scales(const planner *p, const hf_tensor *t, const hf_row *row)
{
    if (row->change == HF_MXFP4) return find_companion(p, t->name, "_blocks", "_scales");
    if (!is_f8(t->t->dtype)) return NULL;
    hf_tensor *s = find_companion(p, t->name, ".weight", ".weight_scale_inv");
    return s ? s : find_companion(p, t->name, ".weight", ".weight_scale");
}

/* ---- from a tensor of the source ------------------------------------------------------------ */

static bool is_readable(const planner *p, const hf_tensor *t, const hf_row *row)
{
    if (row->change == HF_MXFP4 || st_dtype_is_float(t->t->dtype)) return true;
    char why[96];
    snprintf(why, sizeof why, "is of dtype %s, which is not known of weights",
             st_dtype_name(t->t->dtype));
    return wrong(p, t, why);
}

static bool set_source(planner *p, hf_output *o, hf_tensor *t, int64_t i)
{
    hf_tensor *scales = find_scales(p, t, o->row);
    const st_tensor *s = scales ? scales->t : NULL;
    if (i > 0
        && (t->t->dtype != o->sources[0]->dtype || t->t->n_dims != o->sources[0]->n_dims
            || memcmp(t->t->shape, o->sources[0]->shape, sizeof t->t->shape) != 0))
        return wrong(p, t, "has not the shape and dtype of its like");
    if (s && s->n_elems < 1) return wrong(p, scales, "has no elements");
    if (s && o->row->change != HF_MXFP4 && t->t->n_dims != 2)
        return wrong(p, t, "has scales, which are known of matrices only");
    if (s && !o->scales) {
        o->scales = arena_new(&p->t->arena, (size_t)o->n_sources, sizeof *o->scales);
        if (!o->scales) return no_memory(p);
    }
    o->sources[i] = t->t;
    if (o->scales) o->scales[i] = s;
    t->is_used = true;
    if (scales) scales->is_used = true;
    return is_readable(p, t, o->row);
}

/* The name of the tensor of expert `e`, where t's is that of expert 0. */
static hf_tensor *find_expert(const planner *p, const hf_tensor *t, const hf_match *m, int e)
{
    char name[MAX_NAME];
    char want[16];
    size_t n_first = t->name.n, n_last;
    const char *tail = strstr(m->row->from, "%e") + 2; /* then the suffix */
    n_last = strlen(tail) + strlen(m->suffix);
    if (n_first >= MAX_NAME - 16 || n_first < n_last + 1) return NULL;
    const char *letters = m->row->letters;
    if (letters && e >= (int)strlen(letters)) return NULL;
    int n = letters ? snprintf(want, sizeof want, "%c", letters[e])
                    : snprintf(want, sizeof want, "%d", e);
    n_first -= n_last + 1; /* expert 0 has one digit */
    memcpy(name, t->name.s, n_first);
    memcpy(name + n_first, want, (size_t)n);
    memcpy(name + n_first + (size_t)n, t->name.s + t->name.n - n_last, n_last);
    return folder_find(p->f, name, n_first + (size_t)n + n_last);
}

static bool set_sources(planner *p, hf_output *o, hf_tensor *t, const hf_match *m)
{
    o->n_sources = 1;
    o->is_stack = m->expert >= 0;
    while (o->is_stack && o->n_sources < MAX_EXPERTS && find_expert(p, t, m, (int)o->n_sources))
        o->n_sources++;
    o->sources = arena_new(&p->t->arena, (size_t)o->n_sources, sizeof *o->sources);
    if (!o->sources) return no_memory(p);
    bool ok = set_source(p, o, t, 0);
    for (int64_t i = 1; ok && i < o->n_sources; i++)
        ok = set_source(p, o, find_expert(p, t, m, (int)i), i);
    if (ok && m->row->letters && o->n_sources != (int64_t)strlen(m->row->letters))
        return wrong(p, t, "has not all of its like beside it");
    if (ok && strstr(o->row->to, "_exps") && o->is_stack && o->n_sources != p->shape->n_expert)
        return err_set(p->err, LORY_E_FORMAT,
                       "%s: tensor '%.*s' and its like are %" PRId64 " experts (config.json says "
                       "%" PRId64 ")",
                       p->f->path, t->name.n < 120 ? (int)t->name.n : 120, t->name.s, o->n_sources,
                       p->shape->n_expert);
    return ok;
}

static float scale_of(const planner *p, const hf_row *row)
{
    if (row->change != HF_SCALED) return 0.0f;
    if (row->by != HF_F_NONE) return p->shape->factor[row->by];
    return strcmp(row->to, "output") == 0 ? p->shape->output_scale : p->shape->embd_scale;
}

/* Adds each row of a matrix to sums by `add`; false: no memory. */
static bool sum_rows(const hf_output *o, void (*add)(const float *row, size_t n, double *sum),
                     double *sum)
{
    size_t n = (size_t)o->n_cols;
    float *row = mem_new(n, sizeof *row);
    for (int64_t r = 0; row && r < o->n_rows; r++) {
        st_to_f32(o->sources[0], r * o->n_cols, o->n_cols, row);
        add(row, n, sum);
    }
    mem_free(row);
    return row != NULL;
}

static void add_squares(const float *row, size_t n, double *sum) /* [n] */
{
    for (size_t i = 0; i < n; i++) sum[i] += (double)row[i] * (double)row[i];
}

static void add_sizes(const float *row, size_t n, double *sum) /* one */
{
    for (size_t i = 0; i < n; i++) *sum += fabs((double)row[i]);
}

/* The lengths of a matrix' columns; false: no memory. */
static bool measure_columns(planner *p, hf_output *o)
{
    size_t n = (size_t)o->n_cols;
    double *sum = arena_new(&p->t->arena, n, sizeof *sum);
    if (!sum || !sum_rows(o, add_squares, sum)) return false;
    for (size_t i = 0; i < n; i++) sum[i] = sqrt(sum[i]) + 1e-7;
    o->column_length = sum;
    return true;
}

/* The mean size of a matrix' elements; false: no memory. */
static bool measure_ternary(hf_output *o)
{
    double sum = 0.0;
    if (!sum_rows(o, add_sizes, &sum)) return false;
    o->ternary = fmaxf((float)(sum / ((double)o->n_rows * (double)o->n_cols)), 1e-5f);
    return true;
}

/* One output of tensor t (and the other experts). */
static bool add_output(planner *p, hf_tensor *t, const hf_match *m)
{
    const char *why = NULL;
    if (!tensors_reserve(p->t, 1)) return no_memory(p);
    gguf_tensor *info = &p->t->infos[p->t->n];
    hf_output *o = &p->t->outputs[p->t->n];
    *info = (gguf_tensor){ 0 };
    *o = (hf_output){
        .row = m->row, .order = order_of(p->family, m->row), .layer = m->layer, .shape = *p->shape
    };
    if (!make_name(p, m, &info->name) || !set_sources(p, o, t, m)) return false;
    if (!output_shape(o, info, &why)) return wrong(p, t, why);
    o->scale = scale_of(p, o->row);
    if (o->row->change == HF_UNIT_COLUMNS && !measure_columns(p, o)) return no_memory(p);
    if (o->row->change == HF_TERNARY && !measure_ternary(o)) return no_memory(p);
    p->t->n++;
    return true;
}

static bool is_output_row(const hf_row *r)
{
    return r->to && strcmp(r->to, "output") == 0 && !(r->flags & HF_IF_TIED);
}

static bool is_wanted(const planner *p, const hf_tensor *t, const hf_match *m)
{
    bool is_per_head = t->t->n_dims > 0 && t->t->shape[0] == p->shape->n_head;
    if (m->row->flags & (is_per_head ? HF_PER_VALUE : HF_PER_HEAD)) return false;
    if (!m->row->to || m->layer >= p->shape->n_layer || m->expert > 0) return false;
    if (m->row->flags & HF_IF_TIED) return !p->has_output;
    return !is_output_row(m->row) || !p->is_tied || strcmp(m->suffix, ".bias") == 0;
}

/* Whether a tensor only belongs to others: scales of weights, calibration of activations. */
static bool is_companion(const planner *p, const hf_tensor *t)
{
    const hf_tensor *w = find_companion(p, t->name, ".weight_scale_inv", ".weight");
    if (!w) w = find_companion(p, t->name, ".weight_scale", ".weight");
    if (!w) w = find_companion(p, t->name, ".input_scale", ".weight");
    if (!w) w = find_companion(p, t->name, ".activation_scale", ".weight");
    if (w) return is_f8(w->t->dtype);
    return find_companion(p, t->name, "_scales", "_blocks") != NULL;
}

/* All outputs of one tensor: rows of the same name stand one after the other. */
static bool add_tensor(planner *p, hf_tensor *t)
{
    hf_match m;
    const hf_row *row = names_match(p->family, t->name.s, &m);
    if (!row)
        return is_companion(p, t) || is_beside_text(t->name.s)
               || wrong(p, t, "is not known of its architecture, which would not be whole without");
    if (row->flags & HF_AS_KEY) t->is_used = true;
    for (const hf_row *r = row; r->from && strcmp(r->from, row->from) == 0; r++) {
        m.row = r;
        if (is_wanted(p, t, &m) && !add_output(p, t, &m)) return false;
    }
    return true;
}

/* ---- from config.json --------------------------------------------------------------------- */

static bool add_extra(planner *p)
{
    float *values = arena_new(&p->t->arena, MAX_EXTRA, sizeof *values);
    hf_extra e = { .values = values, .cap = MAX_EXTRA };
    if (!values) return no_memory(p);
    for (int i = 0; family_extra(p->family, p->c, p->shape, i, &e); i++) {
        float *copy = arena_new(&p->t->arena, (size_t)e.n, sizeof *copy);
        gguf_str s = { arena_strndup(&p->t->arena, e.name, strlen(e.name)), strlen(e.name) };
        if (!copy || !s.s || !tensors_reserve(p->t, 1)) return no_memory(p);
        memcpy(copy, values, (size_t)e.n * sizeof *copy);
        p->t->outputs[p->t->n] = (hf_output){ .order = -1, .layer = -1, .values = copy };
        p->t->infos[p->t->n++] =
            (gguf_tensor){ .name = s, .n_dims = 1, .ne = { e.n, 1, 1, 1 }, .type = QT_F32 };
    }
    return config_ok(p->c, p->err);
}

/* ---- types --------------------------------------------------------------------------------- */

/* The type of most of the source's weights, as one that GGUF has. */
static qtype type_of_source(const hf_folder *f)
{
    uint64_t n[ST_DTYPE_COUNT] = { 0 };
    int best = ST_F32;
    for (size_t i = 0; i < f->n_tensors; i++) n[f->tensors[i].t->dtype] += f->tensors[i].t->n_bytes;
    for (int i = 0; i < ST_DTYPE_COUNT; i++)
        if (st_dtype_is_float((st_dtype)i) && i != ST_F8_E8M0 && n[i] > n[best]) best = i;
    return best == ST_F16 ? QT_F16 : best == ST_F32 || best == ST_F64 ? QT_F32 : QT_BF16;
}

/* Vectors, norms, biases and a few small matrices are f32 in all files that the usual converters
 * write, also where f16 or bf16 is wanted. */
static qtype final_type(const gguf_tensor *t, const hf_output *o, qtype wanted)
{
    static const char *const floats[] = {
        "_norm.weight",       "ffn_gate_inp.weight", "position_embd.weight",
        "_coef.weight",       "conv.weight",         "conv1d.weight",
        "time_mix_w1.weight", "time_mix_w2.weight",  "_lerp_fused.weight",
        "decay_w1.weight",    "decay_w2.weight",     "time_mix_first.weight",
    };
    if (o->row && o->row->change == HF_MXFP4) return QT_MXFP4;
    if (t->n_dims == 1 || !gguf_str_ends(t->name, ".weight")) return QT_F32;
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++)
        if (gguf_str_ends(t->name, floats[i])) return QT_F32;
    return retype_choice(t, wanted);
}

static void set_types(planner *p)
{
    hf_tensors *t = p->t;
    t->type = p->wanted == QT_COUNT ? type_of_source(p->f) : p->wanted;
    for (size_t i = 0; i < t->n; i++) {
        gguf_tensor *info = &t->infos[i];
        info->type = QT_F32; /* what retype_choice takes it to be */
        info->type = final_type(info, &t->outputs[i], t->type);
        t->has_mxfp4 |= info->type == QT_MXFP4;
        info->n_bytes = qtype_row_bytes(info->type, info->ne[0])
                        * (size_t)(info->ne[1] * info->ne[2] * info->ne[3]);
    }
}

/* ---- what must hold ------------------------------------------------------------------------ */

/* Parts of a layer that not every layer has, of a model with experts or of this family. */
static bool may_be_missing(const planner *p, const hf_output *o)
{
    if (o->row->flags & HF_SOME) return true;
    if (p->shape->lacks_parts) return true; /* whether they may, opening the file will say */
    return p->shape->n_expert > 0 && (strstr(o->row->to, "ffn_") || strstr(o->row->to, "exp_probs"))
           && !strstr(o->row->to, "norm");
}

static bool is_same_part(const hf_tensors *t, size_t i, size_t k)
{
    return t->outputs[i].row == t->outputs[k].row
           && gguf_str_ends(t->infos[i].name, ".bias") == gguf_str_ends(t->infos[k].name, ".bias");
}

/* A part of a layer that some have and others lack is a hole in the folder. */
static bool check_layers(const planner *p)
{
    const hf_tensors *t = p->t;
    for (size_t i = 0, n; i < t->n; i += n) { /* sorted: one part of all layers in a run */
        const hf_output *o = &t->outputs[i];
        for (n = 1; i + n < t->n && is_same_part(t, i, i + n); n++)
            ;
        if (!o->row || o->layer < 0 || (int64_t)n == p->shape->n_layer || may_be_missing(p, o))
            continue;
        int il = 0;
        char name[MAX_NAME];
        while ((size_t)il < n && t->outputs[i + (size_t)il].layer == il) il++;
        return err_set(p->err, LORY_E_FORMAT, "%s: has no tensor '%s%s', which other layers have",
                       p->f->path, names_fill(o->row->from, il, name),
                       gguf_str_ends(t->infos[i].name, ".bias") ? ".bias" : ".weight");
    }
    return true;
}

/* ---- order --------------------------------------------------------------------------------- */

typedef struct {
    gguf_tensor info;
    hf_output output;
} pair;

static int by_part(const void *a_, const void *b_)
{
    const pair *a = a_, *b = b_;
    if (a->output.order != b->output.order) return a->output.order - b->output.order;
    int c = (int)gguf_str_ends(a->info.name, ".bias") - (int)gguf_str_ends(b->info.name, ".bias");
    return c ? c : a->output.layer - b->output.layer;
}

/* Layers in order, and within one as the tables have it; what is of no layer first. */
static int by_layer(const void *a_, const void *b_)
{
    const pair *a = a_, *b = b_;
    int c = a->output.layer - b->output.layer;
    return c ? c : by_part(a, b);
}

static bool sort(planner *p, int (*order)(const void *, const void *))
{
    hf_tensors *t = p->t;
    pair *pairs = mem_new(t->n, sizeof *pairs);
    if (!pairs) return no_memory(p);
    for (size_t i = 0; i < t->n; i++) pairs[i] = (pair){ t->infos[i], t->outputs[i] };
    if (t->n) qsort(pairs, t->n, sizeof *pairs, order);
    for (size_t i = 0; i < t->n; i++) t->infos[i] = pairs[i].info, t->outputs[i] = pairs[i].output;
    mem_free(pairs);
    return true;
}

static int by_name(const void *a_, const void *b_)
{
    const pair *a = a_, *b = b_;
    return strcmp(a->info.name.s, b->info.name.s);
}

/* Sorted by name: each once, the token embedding among them. */
static bool check_names(const planner *p)
{
    const hf_tensors *t = p->t;
    bool has_embd = false;
    for (size_t i = 0; i < t->n; i++) {
        has_embd |= gguf_str_is(t->infos[i].name, "token_embd.weight");
        if (i && strcmp(t->infos[i].name.s, t->infos[i - 1].name.s) == 0)
            return err_set(p->err, LORY_E_FORMAT, "%s: two tensors would both become %s",
                           p->f->path, t->infos[i].name.s);
    }
    if (has_embd) return true;
    return err_set(p->err, LORY_E_FORMAT, "%s: has no token embedding among its %zu tensors",
                   p->f->path, p->f->n_tensors);
}

/* ---- what is left over ---------------------------------------------------------------------- */

static void put_pattern(buf *b, gguf_str name)
{
    if (buf_reserve(b, name.n)) b->len += gguf_name_pattern(name, b->data + b->len);
}

/* The names of unused tensors, each pattern once with how many it stands for. Quadratic in the
 * patterns, which are few. */
static bool list_unused(planner *p)
{
    buf *all = &p->t->unused, one = { 0 };
    bool ok = true;
    char *done = mem_new(p->f->n_tensors, 1);
    if (!done) return no_memory(p);
    for (size_t i = 0; ok && i < p->f->n_tensors; i++) {
        if (p->f->tensors[i].is_used || done[i]) continue;
        size_t n = 1, at = all->len;
        put_pattern(all, p->f->tensors[i].name);
        for (size_t k = i + 1; k < p->f->n_tensors; k++) {
            if (p->f->tensors[k].is_used || done[k]) continue;
            buf_clear(&one);
            put_pattern(&one, p->f->tensors[k].name);
            done[k] = one.len == all->len - at && memcmp(one.data, all->data + at, one.len) == 0;
            n += (size_t)done[k];
        }
        if (n > 1) buf_printf(all, " (%zu)", n);
        buf_putc(all, '\n');
        ok = !one.failed && !all->failed;
    }
    buf_free(&one);
    mem_free(done);
    return ok || no_memory(p);
}

/* ---- open and close ------------------------------------------------------------------------- */

/* An output matrix that is the embedding once more is not stored; some configs say "tied" of one
 * that is not. */
static bool is_copy_of_embedding(const planner *p, const hf_tensor *output)
{
    hf_match m;
    for (size_t i = 0; i < p->f->n_tensors; i++) {
        const st_tensor *t = p->f->tensors[i].t;
        const hf_row *r = names_match(p->family, p->f->tensors[i].name.s, &m);
        if (r && r->to && strcmp(r->to, "token_embd") == 0)
            return t->dtype == output->t->dtype && t->n_bytes == output->t->n_bytes
                   && memcmp(t->data, output->t->data, t->n_bytes) == 0;
    }
    return false;
}

static void look_for_output(planner *p)
{
    hf_match m;
    for (size_t i = 0; i < p->f->n_tensors; i++) {
        const hf_tensor *t = &p->f->tensors[i];
        const hf_row *r = names_match(p->family, t->name.s, &m);
        if (!r || !is_output_row(r) || strcmp(m.suffix, ".weight") != 0) continue;
        p->is_tied = config_bool(p->c, "tie_word_embeddings", false) && is_copy_of_embedding(p, t);
        p->has_output = !p->is_tied;
    }
}

static bool plan(planner *p)
{
    look_for_output(p);
    for (size_t i = 0; i < p->f->n_tensors; i++)
        if (!add_tensor(p, &p->f->tensors[i])) return false;
    if (!sort(p, by_name) || !check_names(p) || !sort(p, by_part) || !check_layers(p)
        || !add_extra(p) || !sort(p, by_layer))
        return false;
    set_types(p);
    return list_unused(p);
}

bool tensors_plan(hf_tensors *t, const hf_family *family, config *c, const hf_shape *shape,
                  qtype wanted, lory_err *err)
{
    planner p = { .t = t,
                  .f = c->folder,
                  .family = family,
                  .c = c,
                  .shape = shape,
                  .wanted = wanted,
                  .err = err };
    *t = (hf_tensors){ .folder = c->folder };
    if (plan(&p)) return true;
    tensors_free(t);
    return false;
}

void tensors_free(hf_tensors *t)
{
    mem_free(t->infos);
    mem_free(t->outputs);
    buf_free(&t->unused);
    arena_free(&t->arena);
    *t = (hf_tensors){ 0 };
}

tensors_count tensors_weights(const hf_tensors *t)
{
    tensors_count c = { 0 };
    for (size_t i = 0; i < t->n; i++) {
        const int64_t *ne = t->infos[i].ne;
        uint64_t n = (uint64_t)(ne[0] * ne[1] * ne[2] * ne[3]);
        bool is_expert = strstr(t->infos[i].name.s, "_exps.") != NULL;
        c.n_total += n;
        if (is_expert)
            c.n_expert += n / (uint64_t)ne[t->infos[i].n_dims - 1];
        else
            c.n_shared += n;
    }
    return c;
}
