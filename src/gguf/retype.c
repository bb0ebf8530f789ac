/* retype.c - see retype.h. */
#include "gguf/retype.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/team.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    PIECE_BYTES = 1 << 20,   /* copied between two calls of progress */
    PIECE_WEIGHTS = 1 << 19, /* that the threads work on before they are written */
};

/* enum llama_ftype of llama.cpp, minus one where a type has none there. */
static const int file_types[QT_COUNT] = {
    [QT_F32] = 0,      [QT_F16] = 1,     [QT_BF16] = 32,  [QT_Q4_0] = 2,     [QT_Q4_1] = 3,
    [QT_Q5_0] = 8,     [QT_Q5_1] = 9,    [QT_Q8_0] = 7,   [QT_Q2_K] = 10,    [QT_Q3_K] = 11,
    [QT_Q4_K] = 14,    [QT_Q5_K] = 16,   [QT_Q6_K] = 18,  [QT_IQ1_S] = 24,   [QT_IQ1_M] = 31,
    [QT_IQ2_XXS] = 19, [QT_IQ2_XS] = 20, [QT_IQ2_S] = 28, [QT_IQ3_XXS] = 23, [QT_IQ3_S] = 26,
    [QT_IQ4_NL] = 25,  [QT_IQ4_XS] = 30, [QT_TQ1_0] = 36, [QT_TQ2_0] = 37,   [QT_MXFP4] = 38,
    [QT_NVFP4] = 39,   [QT_Q1_0] = 40,    [QT_Q2_0] = 41,
};

int retype_file_type(qtype t)
{
    return (unsigned)t < QT_COUNT ? file_types[t] : -1;
}

/* Parts of the names of what is never quantised. */
static const char *const precise[] = {
    "_norm.weight", "ffn_gate_inp", "per_layer_model_proj", "position_embd", "token_types",
    "ssm_conv1d", "shortconv.conv", "attn_rel_b", "altup", "laurel", "indexer.k_proj.weight",
    "indexer.q_proj.weight", "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight",
    "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight",
    "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight",
    "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
    "mix_lerp_",
};

bool retype_is_precise(gguf_str name)
{
    for (size_t i = 0; i < sizeof precise / sizeof precise[0]; i++)
        if (gguf_str_has(name, precise[i])) return true;
    return false;
}

static bool is_float(qtype t)
{
    return t == QT_F32 || t == QT_F16 || t == QT_BF16;
}

qtype retype_choice(const gguf_tensor *t, qtype wanted)
{
    if (wanted == RETYPE_KEEP) return t->type;
    if (t->n_dims == 1 || gguf_str_ends(t->name, "_norm.weight")) return QT_F32;
    if (is_float(wanted)) return wanted;
    if (retype_is_precise(t->name)) return is_float(t->type) ? t->type : QT_F32;
    return t->ne[0] % qtypes[wanted].block_elems ? QT_F16 : wanted;
}

static qtype type_of(const retype_job *job, size_t i)
{
    return job->types ? job->types[i] : retype_choice(&job->tensors[i], job->type);
}

bool retype_check(const retype_job *job, lory_err *err)
{
    const float *values;
    bool is_used = !job->importance || job->n == 0;
    for (size_t i = 0; job->importance && i < job->n; i++) {
        if (!imatrix_find(job->importance, &job->tensors[i], &values, err)) return false;
        is_used |= values != NULL;
    }
    return is_used
           || err_set(err, LORY_E_ARGUMENT, "%s: is of another model: has none of its matrices",
                      job->importance->path);
}

void retype_announce(const retype_job *job, gguf_writer *w)
{
    for (size_t i = 0; i < job->n; i++) {
        const gguf_tensor *t = &job->tensors[i];
        gguf_add_tensor(w, t->name, type_of(job, i), t->n_dims, t->ne);
    }
}

/* ---- the work ---------------------------------------------------------------------------- */

typedef struct {
    const retype_job *job;
    gguf_writer *w;
    team *team;
    uint64_t n_done, n_total; /* bytes of the source's tensors */
    uint64_t n_told;          /* of n_done at the last call of progress */
} work;

static bool advance(work *k, uint64_t n_bytes, lory_err *err)
{
    k->n_done += n_bytes;
    if (!k->job->progress || (k->n_done - k->n_told < PIECE_BYTES && k->n_done < k->n_total))
        return true;
    k->n_told = k->n_done;
    if (k->job->progress(k->job->user, k->n_done, k->n_total)) return true;
    return err_set(err, LORY_E_INTERRUPTED, "%s: interrupted", k->w->file.path);
}

static bool copy(work *k, const gguf_tensor *t, lory_err *err)
{
    for (size_t at = 0; at < t->n_bytes;) {
        size_t n = t->n_bytes - at < PIECE_BYTES ? t->n_bytes - at : PIECE_BYTES;
        if (!gguf_write_data(k->w, (const char *)t->data + at, n, err) || !advance(k, n, err))
            return false;
        at += n;
    }
    return true;
}

static void read_row(const retype_job *job, const gguf_tensor *t, int64_t row, float *out)
{
    size_t row_bytes = qtype_row_bytes(t->type, t->ne[0]);
    if (job->row)
        job->row(job->source, t, row, out);
    else
        qtypes[t->type].to_f32(t->ne[0], (const char *)t->data + (size_t)row * row_bytes, out);
}

/* Rows [first, first + n_rows) of a tensor, which the threads share. */
typedef struct {
    const retype_job *job;
    const gguf_tensor *t;
    qtype to;
    const float *importance; /* [ne[2], ne[0]], or NULL */
    float *in;               /* [threads, ne[0]] */
    int64_t *bad;            /* [threads] the first row of each that has no number; -1 = none */
    unsigned char *out;      /* [n_rows, out_bytes] */
    size_t out_bytes;
    int64_t first, n_rows;
} piece;

/* The first value that is no number, or too large for the type; n when there is none. */
static int64_t find_bad(const float *x, int64_t n, qtype to)
{
    float limit = to == QT_F16    ? 65520.0f : /* from which on the type rounds to infinity */
                  to == QT_BF16 ? 0x1.ffp127f
                                : INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(x[i]) < limit)) return i;
    return n;
}

/* One row in the type that it will have; false: it has a value that can't be written. */
static bool make_row(const piece *p, int64_t row, float *in, void *out)
{
    const retype_job *job = p->job;
    const gguf_tensor *t = p->t;
    const float *importance = p->importance;
    if (p->to == t->type && job->bytes && job->bytes(job->source, t, row, out)) return true;
    read_row(job, t, row, in);
    if (find_bad(in, t->ne[0], p->to) < t->ne[0]) return false;
    if (importance) importance += row / t->ne[1] % t->ne[2] * t->ne[0]; /* of its matrix */
    qtypes[p->to].from_f32(t->ne[0], in, importance, out);
    return true;
}

static void recode_rows(void *arg, int ith, int nth)
{
    const piece *p = arg;
    const gguf_tensor *t = p->t;
    int64_t end = p->n_rows * (ith + 1) / nth;
    float *in = p->in + (int64_t)ith * t->ne[0];
    p->bad[ith] = -1;
    for (int64_t i = p->n_rows * ith / nth; i < end && p->bad[ith] < 0; i++)
        if (!make_row(p, p->first + i, in, p->out + (size_t)i * p->out_bytes))
            p->bad[ith] = p->first + i;
}

/* Whether all rows are numbers; *err names the first that is not. */
static bool check_rows(const piece *p, int nth, lory_err *err)
{
    const gguf_tensor *t = p->t;
    int ith = 0;
    while (ith < nth && p->bad[ith] < 0) ith++;
    if (ith == nth) return true;
    read_row(p->job, t, p->bad[ith], p->in);
    int64_t at = find_bad(p->in, t->ne[0], p->to);
    return err_set(err, LORY_E_FORMAT,
                   "tensor %.*s: row %" PRId64 ", column %" PRId64 " is %g (expected a number"
                   " that %s holds)",
                   (int)t->name.n, t->name.s, p->bad[ith], at, (double)p->in[at],
                   qtypes[p->to].name);
}

static bool recode(work *k, const gguf_tensor *t, qtype to, lory_err *err)
{
    int nth = team_size(k->team);
    int64_t n_rows = t->ne[1] * t->ne[2] * t->ne[3];
    int64_t n_most = PIECE_WEIGHTS / t->ne[0] > nth ? PIECE_WEIGHTS / t->ne[0] : nth;
    size_t in_bytes = t->n_bytes / (size_t)n_rows;
    piece p = { .job = k->job, .t = t, .to = to, .out_bytes = qtype_row_bytes(to, t->ne[0]) };
    if (n_most > n_rows) n_most = n_rows;
    if (k->job->importance && !imatrix_find(k->job->importance, t, &p.importance, err))
        return false;
    p.in = mem_new((size_t)nth, (size_t)t->ne[0] * sizeof *p.in);
    p.out = mem_new((size_t)n_most, p.out_bytes);
    p.bad = mem_new((size_t)nth, sizeof *p.bad);
    bool ok = p.in && p.out && p.bad;
    if (!ok) err_set(err, LORY_E_MEMORY, "%s: out of memory for some rows", k->w->file.path);
    for (; ok && p.first < n_rows; p.first += p.n_rows) {
        p.n_rows = n_rows - p.first < n_most ? n_rows - p.first : n_most;
        team_run(k->team, recode_rows, &p);
        ok = check_rows(&p, nth, err)
             && gguf_write_data(k->w, p.out, (size_t)p.n_rows * p.out_bytes, err)
             && advance(k, (uint64_t)p.n_rows * in_bytes, err);
    }
    mem_free(p.in);
    mem_free(p.out);
    mem_free(p.bad);
    return ok;
}

static bool write_tensors(work *k, lory_err *err)
{
    const retype_job *job = k->job;
    for (size_t i = 0; i < job->n; i++) {
        const gguf_tensor *t = &job->tensors[i];
        qtype to = type_of(job, i);
        bool is_same = to == t->type && !job->row;
        if (!(is_same ? copy(k, t, err) : recode(k, t, to, err))) return false;
        if (job->done) job->done(job->source, t);
    }
    return true;
}

bool retype_write(const retype_job *job, gguf_writer *w, lory_err *err)
{
    work k = { .job = job, .w = w };
    for (size_t i = 0; i < job->n; i++) k.n_total += job->tensors[i].n_bytes;
    k.team = team_new(job->n_threads > 0 ? job->n_threads : 1, err);
    bool ok = k.team && write_tensors(&k, err);
    team_free(k.team);
    return ok;
}
