/* retype.c - see retype.h. */
#include "gguf/retype.h"
#include "base/err.h"
#include "base/mem.h"
#include <string.h>

enum { PIECE_BYTES = 1 << 20 }; /* copied between two calls of progress */

/* enum llama_ftype of llama.cpp, minus one where a type has none there. */
static const int file_types[QT_COUNT] = {
    [QT_F32] = 0,      [QT_F16] = 1,     [QT_BF16] = 32,  [QT_Q4_0] = 2,     [QT_Q4_1] = 3,
    [QT_Q5_0] = 8,     [QT_Q5_1] = 9,    [QT_Q8_0] = 7,   [QT_Q2_K] = 10,    [QT_Q3_K] = 11,
    [QT_Q4_K] = 14,    [QT_Q5_K] = 16,   [QT_Q6_K] = 18,  [QT_IQ1_S] = 24,   [QT_IQ1_M] = 31,
    [QT_IQ2_XXS] = 19, [QT_IQ2_XS] = 20, [QT_IQ2_S] = 28, [QT_IQ3_XXS] = 23, [QT_IQ3_S] = 26,
    [QT_IQ4_NL] = 25,  [QT_IQ4_XS] = 30, [QT_TQ1_0] = 36, [QT_TQ2_0] = 37,   [QT_MXFP4] = 38,
};

int retype_file_type(qtype t)
{
    return (unsigned)t < QT_COUNT ? file_types[t] : -1;
}

/* Parts of names of small matrices that engines use in full precision. */
static const char *const precise[] = { "position_embd", "token_types", "ffn_gate_inp", "ssm_conv1d",
                                       "attn_rel_b" };

static bool has_part(gguf_str name, const char *p)
{
    size_t n = strlen(p);
    for (size_t i = 0; i + n <= name.n; i++)
        if (memcmp(name.s + i, p, n) == 0) return true;
    return false;
}

static bool is_precise(gguf_str name)
{
    for (size_t i = 0; i < sizeof precise / sizeof precise[0]; i++)
        if (has_part(name, precise[i])) return true;
    return false;
}

static bool is_float(qtype t)
{
    return t == QT_F32 || t == QT_F16 || t == QT_BF16;
}

qtype retype_choice(const gguf_tensor *t, qtype wanted)
{
    if (wanted == RETYPE_KEEP) return t->type;
    if (t->n_dims == 1) return QT_F32;
    if (is_float(wanted)) return wanted;
    if (is_precise(t->name)) return is_float(t->type) ? t->type : QT_F32;
    return t->ne[0] % qtypes[wanted].block_elems ? QT_F16 : wanted;
}

bool retype_check(const retype_job *job, const char *subject, lory_err *err)
{
    if (job->type == RETYPE_KEEP || qtypes[job->type].from_f32) return true;
    return err_set(err, LORY_E_UNSUPPORTED, "%s: lory can't write the type %s yet", subject,
                   qtypes[job->type].name);
}

void retype_announce(const retype_job *job, gguf_writer *w)
{
    for (size_t i = 0; i < job->n; i++) {
        const gguf_tensor *t = &job->tensors[i];
        gguf_add_tensor(w, t->name, retype_choice(t, job->type), t->n_dims, t->ne);
    }
}

/* ---- the work ---------------------------------------------------------------------------- */

typedef struct {
    const retype_job *job;
    gguf_writer *w;
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

/* One row in the type that it will have. */
static void make_row(const retype_job *job, const gguf_tensor *t, int64_t row, qtype to, float *in,
                     void *out)
{
    if (to == t->type && job->bytes && job->bytes(job->source, t, row, out)) return;
    read_row(job, t, row, in);
    qtypes[to].from_f32(t->ne[0], in, NULL, out);
}

static bool recode(work *k, const gguf_tensor *t, qtype to, lory_err *err)
{
    int64_t n_rows = t->ne[1] * t->ne[2] * t->ne[3];
    size_t out_bytes = qtype_row_bytes(to, t->ne[0]), in_bytes = t->n_bytes / (size_t)n_rows;
    float *in = mem_new((size_t)t->ne[0], sizeof *in);
    void *out = mem_new(out_bytes, 1);
    bool ok = in && out;
    if (!ok) err_set(err, LORY_E_MEMORY, "%s: out of memory for a row", k->w->file.path);
    for (int64_t row = 0; ok && row < n_rows; row++) {
        make_row(k->job, t, row, to, in, out);
        ok = gguf_write_data(k->w, out, out_bytes, err) && advance(k, in_bytes, err);
    }
    mem_free(in);
    mem_free(out);
    return ok;
}

bool retype_write(const retype_job *job, gguf_writer *w, lory_err *err)
{
    work k = { .job = job, .w = w };
    for (size_t i = 0; i < job->n; i++) k.n_total += job->tensors[i].n_bytes;
    for (size_t i = 0; i < job->n; i++) {
        const gguf_tensor *t = &job->tensors[i];
        qtype to = retype_choice(t, job->type);
        bool is_same = to == t->type && !job->row;
        if (!(is_same ? copy(&k, t, err) : recode(&k, t, to, err))) return false;
    }
    return true;
}
