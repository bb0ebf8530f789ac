/* tensor_rows.c - see tensor_rows.h and tensors.h. */
#include "convert/tensor_rows.h"
#include "base/fmath.h"
#include <math.h>
#include <string.h>

enum { MXFP4_BLOCK = 32, MXFP4_CODES = 16 }; /* weights, bytes; quant/block.h has block_mxfp4 */

/* ---- shapes ------------------------------------------------------------------------------ */

static int64_t heads_of(const hf_output *o)
{
    hf_change change = o->row->change;
    bool is_q = change == HF_ROPE_Q || change == HF_GROUP_Q || change == HF_CAT_Q;
    return is_q ? o->shape.n_head : o->shape.n_kv_head;
}

/* Of a matrix of n rows for Q or K alone; 0: it does not go with the heads. */
static int64_t rope_dim(const hf_output *o, int64_t n)
{
    int64_t head_dim = o->shape.head_dim > 0 ? o->shape.head_dim : n / heads_of(o);
    bool is_whole = o->shape.head_dim > 0 ? n % head_dim == 0 : n % heads_of(o) == 0;
    return is_whole && head_dim % 2 == 0 ? head_dim : 0;
}

static bool is_qkv_divided(const hf_output *o, int64_t n)
{
    const hf_shape *s = &o->shape;
    if (o->row->change == HF_BY_HEAD) return n % (3 * s->n_head) == 0;
    return s->n_head % s->n_kv_head == 0 && n % (s->n_head + 2 * s->n_kv_head) == 0;
}

/* ---- the delta rule -------------------------------------------------------------------------- */

static int64_t delta_keys(const hf_shape *s)
{
    return s->n_key_head * s->key_dim; /* rows */
}

static int64_t delta_values(const hf_shape *s)
{
    return s->n_value_head * s->value_dim;
}

/* How many of the n rows (or elements, columns) become some of the output; 0: it does not fit. */
static int64_t delta_rows_out(hf_change change, const hf_shape *s, int64_t n)
{
    int64_t keys = delta_keys(s), values = delta_values(s);
    switch (change) {
    case HF_DELTA_QKV: return n == 2 * keys + 2 * values ? 2 * keys + values : 0;
    case HF_DELTA_GATE: return n == 2 * keys + 2 * values ? values : 0;
    case HF_TILED_QKV:
    case HF_TILED_CONV: return n == 2 * keys + values ? n : 0;
    case HF_TILED_VALUES: return n == values ? n : 0;
    case HF_DELTA_A:
    case HF_TILED_HEADS:
    case HF_TILED_A: return n == s->n_value_head ? n : 0;
    default: return n;
    }
}

/* Row (or column) r of heads of values that are tiled, each of `size`: theirs in groups. */
static int64_t untiled(const hf_shape *s, int64_t r, int64_t size)
{
    int64_t head = r / size, n = s->n_value_head / s->n_key_head;
    return (head % s->n_key_head * n + head / s->n_key_head) * size + r % size;
}

/* Row r of the output in the groups of the source: queries, keys, values, gates of each. */
static int64_t grouped_delta_row(const hf_shape *s, int64_t r, bool is_gate)
{
    int64_t keys = delta_keys(s), part = delta_values(s) / s->n_key_head, at = 0, size = s->key_dim;
    if (is_gate || r >= 2 * keys) {
        at = 2 * size + (is_gate ? part : 0);
        r -= is_gate ? 0 : 2 * keys;
        size = part;
    } else if (r >= keys) {
        at = size;
        r -= keys;
    }
    int64_t group_rows = 2 * s->key_dim + 2 * part;
    return r / size * group_rows + at + r % size;
}

static int64_t delta_row(hf_change change, const hf_shape *s, int64_t r)
{
    int64_t before = 2 * delta_keys(s);
    switch (change) {
    case HF_DELTA_QKV: return grouped_delta_row(s, r, false);
    case HF_DELTA_GATE: return grouped_delta_row(s, r, true);
    case HF_TILED_QKV:
    case HF_TILED_CONV: return r < before ? r : before + untiled(s, r - before, s->value_dim);
    case HF_TILED_VALUES: return untiled(s, r, s->value_dim);
    case HF_TILED_HEADS:
    case HF_TILED_A: return untiled(s, r, 1);
    default: return r;
    }
}

static bool is_delta(hf_change change)
{
    return change >= HF_DELTA_QKV && change <= HF_TILED_CONV;
}

enum { QUARTERS = 4 };

static bool is_quarter(hf_change change)
{
    return change >= HF_QUARTER_Q && change <= HF_QUARTER_V;
}

/* How many of the n rows (or elements) of a source become rows of the output; 0:
 * it does not fit. */
static int64_t rows_out(const hf_output *o, int64_t n)
{
    const hf_row *r = o->row;
    int64_t divisor = r->n_parts ? r->n_parts : r->every ? r->every : 1;
    if (n % divisor) return 0;
    n /= divisor;
    if ((r->change == HF_ROPE_Q || r->change == HF_ROPE_K) && rope_dim(o, n) == 0) return 0;
    if ((r->change == HF_BY_HEAD || r->change == HF_GROUPED) && !is_qkv_divided(o, n)) return 0;
    if (r->change >= HF_GROUP_Q && r->change <= HF_CAT_V) {
        if (!is_qkv_divided(o, n)) return 0;
        n = n / (o->shape.n_head + 2 * o->shape.n_kv_head) * heads_of(o);
        if (n % (2 * heads_of(o))) return 0;
    }
    if (is_delta(r->change)) return delta_rows_out(r->change, &o->shape, n);
    if (r->change == HF_PAST_TWO) return n > 2 ? n - 2 : 0;
    if (r->change == HF_PADDED) return o->shape.n_vocab >= n ? o->shape.n_vocab : 0;
    if (r->change == HF_TILED_Q && n % o->shape.n_head) return 0;
    if (is_quarter(r->change)) return n % (QUARTERS * 3) ? 0 : n / 3;
    return n;
}

static bool is_matrix(gguf_str name)
{
    return gguf_str_ends(name, ".weight") || gguf_str_ends(name, ".lora_a")
           || gguf_str_ends(name, ".lora_b");
}

/* [.., rows, blocks, 16] of codes: [.., rows, 32 * blocks]. */
static bool mxfp4_shape(hf_output *o, const st_tensor *in, int64_t *dims, int *n_dims)
{
    int last = in->n_dims - 1;
    const st_tensor *s = o->scales ? o->scales[0] : NULL;
    if (in->n_dims < 3 || in->dtype != ST_U8 || in->shape[last] != MXFP4_CODES || !s
        || st_dtype_bytes(s->dtype) != 1 || s->n_elems * MXFP4_CODES != in->n_elems)
        return false;
    *n_dims = last;
    for (int i = 0; i < last; i++) dims[i] = in->shape[i];
    dims[last - 1] *= MXFP4_BLOCK;
    return true;
}

/* [n_expert * rows, cols]: [n_expert, rows, cols]. */
static bool divide_rows(const hf_output *o, int64_t *dims, int *n_dims)
{
    int64_t n = o->shape.n_expert;
    if (*n_dims != 2 || n < 1 || dims[0] % n) return false;
    dims[2] = dims[1];
    dims[1] = dims[0] / n;
    dims[0] = n;
    *n_dims = 3;
    return true;
}

/* [n]: a column, or a row for each group. */
static bool divide_vector(const hf_output *o, int64_t *dims, int *n_dims)
{
    int64_t n = o->row->change == HF_BY_GROUP ? o->shape.n_key_head : dims[0];
    if (*n_dims != 1 || n < 1 || dims[0] % n) return false;
    dims[1] = dims[0] / n;
    dims[0] = n;
    *n_dims = 2;
    return true;
}

static bool becomes_matrix(const hf_output *o)
{
    return o->row->change >= HF_COLUMN && o->row->change <= HF_BY_GROUP;
}

/* The shape of one source, slowest first, at least one number. */
static bool source_dims(hf_output *o, int64_t dims[ST_MAX_DIMS], int *n_dims, const char **why)
{
    const st_tensor *in = o->sources[0];
    memcpy(dims, in->shape, sizeof in->shape);
    *n_dims = in->n_dims ? in->n_dims : 1;
    *why = "is not in the layout of MXFP4 (blocks of 16 bytes with scales beside them)";
    if (o->row->change == HF_MXFP4 && !mxfp4_shape(o, in, dims, n_dims)) return false;
    *why = "has no elements";
    if (in->n_elems < 1) return false;
    *why = "has not the rows of all experts";
    if (o->row->flags & HF_EXPERT_ROWS && !divide_rows(o, dims, n_dims)) return false;
    *why = "is no vector of groups";
    if (becomes_matrix(o) && !divide_vector(o, dims, n_dims)) return false;
    *why = "has not a kernel for each channel";
    bool is_flat = o->row->change == HF_FLATTEN && *n_dims < 3; /* opening will say if it may be */
    if ((o->row->change == HF_FLATTEN && !is_flat) || o->row->change == HF_TILED_CONV) {
        if (*n_dims != 3 || dims[1] != 1) return false;
        dims[1] = dims[2];
        *n_dims = 2;
    }
    if (o->row->change == HF_RATES || o->row->change == HF_POWERS) {
        dims[0] = in->n_elems;
        dims[1] = 1;
        *n_dims = 2;
    }
    if (o->row->change == HF_ONE_ROW) {
        dims[0] = in->n_elems;
        *n_dims = 1;
    }
    *why = "has more dimensions than a GGUF tensor can have";
    return *n_dims + o->is_stack <= GGUF_MAX_DIMS;
}

bool output_shape(hf_output *o, gguf_tensor *t, const char **why)
{
    int64_t dims[ST_MAX_DIMS];
    int n;
    if (!source_dims(o, dims, &n, why)) return false;
    bool is_divided = becomes_matrix(o)
                      || (o->row->change >= HF_RATE_ROWS && o->row->change <= HF_POWERS);
    o->is_vector = n == 1 || (!is_matrix(t->name) && !is_divided);
    if (o->is_vector && n == 2 && dims[0] == 1) dims[0] = dims[--n]; /* [1, n] is [n] */
    o->n_cols = dims[n - 1];
    o->n_rows = n > 1 ? dims[n - 2] : 1;
    *why = "has columns that don't go with the heads of config.json, or scales beside it";
    if (o->row->change == HF_TILED_OUT && (o->n_cols % o->shape.n_head || o->scales)) return false;
    if (o->row->change == HF_TILED_INNER
        && (o->n_cols != delta_values(&o->shape) || o->scales))
        return false;
    if (o->row->change == HF_ROPE_HEADS && (o->n_cols % 2 || o->scales)) return false;
    *why = "is no matrix";
    if (o->row->change == HF_TRANSPOSE && n > 1 && !o->is_vector) {
        dims[n - 1] = o->n_rows;
        dims[n - 2] = o->n_cols;
    }
    int64_t *changed = &dims[o->is_vector ? n - 1 : n - 2];
    *why = "has a number of rows that does not go with the heads of config.json";
    if ((*changed = rows_out(o, *changed)) == 0) return false;
    t->n_dims = n + o->is_stack;
    for (int i = 0; i < GGUF_MAX_DIMS; i++) t->ne[i] = i < n ? dims[n - 1 - i] : 1;
    if (o->is_stack) t->ne[n] = o->n_sources;
    return true;
}

/* ---- which row comes from where ------------------------------------------------------------ */

/* From two halves of what rotates of a head (n_rot 0: all) to pairs: out[head][j][half] =
 * in[head][half][j]. */
static int64_t rope_row_of(int64_t r, int64_t head_dim, int64_t n_rot)
{
    if (n_rot == 0) n_rot = head_dim;
    int64_t head = r / head_dim, i = r % head_dim;
    return i < n_rot ? head * head_dim + i % 2 * (n_rot / 2) + i / 2 : r;
}

static int64_t rope_row(int64_t r, int64_t head_dim)
{
    return rope_row_of(r, head_dim, 0);
}

static int64_t by_head_row(int64_t r, int64_t n_head, int64_t head_dim)
{
    int64_t qkv = r / (n_head * head_dim), head = r / head_dim % n_head;
    return (3 * head + qkv) * head_dim + r % head_dim;
}

static int64_t grouped_row(int64_t r, const hf_shape *s, int64_t head_dim)
{
    int64_t n = s->n_head / s->n_kv_head, head = r / head_dim; /* n heads of Q in a group */
    int64_t kv = head - s->n_head;                             /* < 0: Q */
    int64_t slot = kv < 0 ? head / n * (n + 2) + head % n
                          : kv % s->n_kv_head * (n + 2) + n + kv / s->n_kv_head;
    return slot * head_dim + r % head_dim;
}

/* Row r of the n rows of Q, K or V alone. */
static int64_t group_row(const hf_output *o, int64_t r, int64_t n)
{
    const hf_shape *s = &o->shape;
    bool is_grouped = o->row->change <= HF_GROUP_V;
    int part = (int)o->row->change - (int)(is_grouped ? HF_GROUP_Q : HF_CAT_Q); /* Q, K, V */
    int64_t head_dim = n / heads_of(o), first = part > 0 ? s->n_head * head_dim : 0;
    if (part < 2) r = rope_row(r, head_dim);
    else first += s->n_kv_head * head_dim;
    return is_grouped ? grouped_row(first + r, s, head_dim) : first + r;
}

/* Row r of the n rows of Q, K or V out of quarters. */
static int64_t quarter_row(hf_change change, int64_t r, int64_t n)
{
    int64_t size = n / QUARTERS;
    int64_t place = change == HF_QUARTER_Q ? 0 : change == HF_QUARTER_V ? 1 : 2;
    return (r / size * 3 + place) * size + r % size;
}

/* Element i of a row whose heads are tiled: heads that share keys become neighbours. */
static int64_t tiled_row(const hf_output *o, int64_t i, int64_t n)
{
    int64_t head_dim = n / o->shape.n_head, n_kv = o->shape.n_kv_head, head = i / head_dim;
    int64_t n_shared = o->shape.n_head / n_kv;
    return (head % n_shared * n_kv + head / n_shared) * head_dim + i % head_dim;
}

/* Of the n rows (or elements) that the output has, row r is this one of the source. */
static int64_t source_row(const hf_output *o, int64_t r, int64_t n)
{
    const hf_row *row = o->row;
    const hf_shape *s = &o->shape;
    switch (row->change) {
    case HF_ROPE_Q:
    case HF_ROPE_K: r = rope_row_of(r, rope_dim(o, n), s->n_rot); break;
    case HF_BY_HEAD: r = by_head_row(r, s->n_head, n / (3 * s->n_head)); break;
    case HF_GROUP_Q:
    case HF_GROUP_K:
    case HF_GROUP_V:
    case HF_CAT_Q:
    case HF_CAT_K:
    case HF_CAT_V: r = group_row(o, r, n); break;
    case HF_QUARTER_Q:
    case HF_QUARTER_K:
    case HF_QUARTER_V: r = quarter_row(row->change, r, n); break;
    case HF_PAST_TWO: r += 2; break;
    case HF_PADDED: r = r < o->n_rows ? r : 0; break;
    case HF_TILED_Q: r = tiled_row(o, r, n); break;
    case HF_ROPE_HEADS: r = o->is_vector ? rope_row(r, n) : r; break;
    case HF_GROUPED: r = grouped_row(r, s, n / (s->n_head + 2 * s->n_kv_head)); break;
    default: r = delta_row(row->change, s, r); break;
    }
    if (row->n_parts) return row->part * n + r;
    return row->every ? row->part + r * row->every : r;
}

/* ---- rows -------------------------------------------------------------------------------- */

typedef struct {
    const hf_output *o;
    const st_tensor *in;
    const st_tensor *scales; /* or NULL */
    int64_t first;           /* element of `in` where its matrix begins */
    int64_t n_out;           /* rows (or elements) of one matrix (or vector) of the output */
    int64_t r;               /* row of the source */
} row_place;

/* Row `row` of the whole output. Not for MXFP4, whose elements are no elements of the source. */
static row_place place_of(const hf_tensors *ts, const gguf_tensor *t, int64_t row)
{
    const hf_output *o = &ts->outputs[t - ts->infos];
    row_place p = { .o = o, .n_out = o->is_vector ? t->ne[0] : t->ne[1] };
    int64_t i_matrix = o->is_vector ? row : row / t->ne[1];
    p.in = o->sources[o->is_stack ? i_matrix : 0];
    p.scales = o->scales ? o->scales[o->is_stack ? i_matrix : 0] : NULL;
    p.first = o->is_stack ? 0 : i_matrix * o->n_cols * (o->is_vector ? 1 : o->n_rows);
    p.r = o->is_vector ? 0 : source_row(o, row % t->ne[1], p.n_out);
    return p;
}

static void read_vector(const row_place *p, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++)
        st_to_f32(p->in, p->first + source_row(p->o, i, p->n_out), 1, &out[i]);
}

static void read_column(const row_place *p, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++)
        st_to_f32(p->in, p->first + i * p->o->n_cols + p->r, 1, &out[i]);
}

/* The size of blocks of which n hold `size` rows: a power of two where one does, as all files have
 * it; the last block may be smaller. */
static int64_t block_size(int64_t size, int64_t n)
{
    int64_t least = (size + n - 1) / n, power = 1;
    while (power < least) power *= 2;
    return (size + power - 1) / power == n ? power : least;
}

/* Block scales: [rows / block, cols / block] of them. */
static void apply_scales(const row_place *p, int64_t n, float *out)
{
    const st_tensor *s = p->scales;
    int64_t n_cols = s->n_dims > 1 ? s->shape[s->n_dims - 1] : 1;
    int64_t n_rows = s->n_elems / n_cols;
    int64_t block_rows = block_size(p->o->n_rows, n_rows);
    int64_t block_cols = block_size(p->o->n_cols, n_cols);
    for (int64_t at = 0; at < n; at += block_cols) {
        float scale;
        int64_t end = at + block_cols < n ? at + block_cols : n;
        st_to_f32(s, p->r / block_rows * n_cols + at / block_cols, 1, &scale);
        for (int64_t i = at; i < end; i++) out[i] *= scale;
    }
}

/* Whether the elements of a row change places. */
static bool permutes_columns(const hf_output *o)
{
    hf_change change = o->row->change;
    return !o->is_vector && (change == HF_TILED_OUT || change == HF_ROPE_HEADS
                             || change == HF_TILED_INNER);
}

static void read_permuted(const row_place *p, int64_t n, float *out)
{
    const hf_output *o = p->o;
    bool is_tiled = o->row->change == HF_TILED_OUT;
    bool is_inner = o->row->change == HF_TILED_INNER;
    int64_t together = is_tiled ? n / o->shape.n_head : is_inner ? o->shape.value_dim : 1;
    for (int64_t i = 0; i < n; i += together) {
        int64_t from = is_tiled   ? tiled_row(o, i, n)
                       : is_inner ? untiled(&o->shape, i, together)
                                  : rope_row(i, n);
        st_to_f32(p->in, p->first + p->r * o->n_cols + from, together, &out[i]);
    }
}

static void make_unit(int64_t n, float *x)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    double length = sqrt(sum);
    for (int64_t i = 0; i < n && length > 1e-12; i++) x[i] = (float)((double)x[i] / length);
}

static float nearest_ternary(float x, float scale)
{
    float y = roundf(x * (1.0f / scale));
    return (y < -1.0f ? -1.0f : y > 1.0f ? 1.0f : y) * scale;
}

/* Of row r of what comes into a state space. */
static float state_factor(const hf_shape *s, int64_t r)
{
    int64_t values = delta_values(s), states = delta_keys(s);
    int64_t ends[] = { values, 2 * values, 2 * values + states, 2 * values + 2 * states };
    int i = 0;
    while (i < 4 && r >= ends[i]) i++;
    return s->factor[HF_F_IN + i];
}

/* What the weights of norms count more. */
static float added(hf_change change)
{
    return change == HF_PLUS_ONE     ? 1.0f
           : change == HF_PLUS_FIFTH ? 0.2f
           : change == HF_PLUS_LESS  ? 0.0894427190999916f
                                     : 0.0f;
}

void tensors_row(const void *source, const gguf_tensor *t, int64_t row, float *out)
{
    const hf_tensors *ts = source;
    const hf_output *o = &ts->outputs[t - ts->infos];
    if (o->values) {
        memcpy(out, o->values, (size_t)t->ne[0] * sizeof *out);
        return;
    }
    row_place p = place_of(ts, t, row);
    if (o->is_vector)
        read_vector(&p, t->ne[0], out);
    else if (o->row->change == HF_TRANSPOSE)
        read_column(&p, t->ne[0], out);
    else if (permutes_columns(o))
        read_permuted(&p, t->ne[0], out);
    else
        st_to_f32(p.in, p.first + p.r * o->n_cols, t->ne[0], out);
    if (p.scales) apply_scales(&p, t->ne[0], out);
    float more = gguf_str_ends(t->name, ".weight") ? added(o->row->change) : 0.0f;
    for (int64_t i = 0; more != 0.0f && i < t->ne[0]; i++) out[i] += more;
    bool is_decay = o->row->change == HF_DELTA_A || o->row->change == HF_TILED_A
                    || (o->row->change >= HF_RATE_ROWS && o->row->change <= HF_POWERS);
    for (int64_t i = 0; is_decay && i < t->ne[0]; i++)
        out[i] = (float)-math_pow(2.71828182845904523536, (double)out[i]);
    for (int64_t i = 0; o->row->change == HF_POWERS && i < t->ne[0]; i++) out[i] = -out[i];
    for (int64_t i = 0; o->ternary != 0.0f && i < t->ne[0]; i++)
        out[i] = nearest_ternary(out[i], o->ternary);
    if (o->row->change == HF_UNIT_ROWS) make_unit(t->ne[0], out);
    for (int64_t i = 0; o->column_length && i < t->ne[0]; i++)
        out[i] = (float)((double)out[i] / o->column_length[i]);
    float scale = o->row->by == HF_F_IN ? state_factor(&o->shape, p.r) : o->scale;
    for (int64_t i = 0; o->scale != 0.0f && i < t->ne[0]; i++) out[i] *= scale;
}

/* A row of blocks: neighbours share a byte in the source, elements 16 apart do in GGUF. */
static void mxfp4_row(const hf_output *o, const gguf_tensor *t, int64_t row, unsigned char *out)
{
    int64_t n_blocks = t->ne[0] / MXFP4_BLOCK, i_matrix = row / t->ne[1];
    int64_t r = i_matrix * o->n_rows + source_row(o, row % t->ne[1], t->ne[1]);
    const unsigned char *codes = o->sources[0]->data + r * n_blocks * MXFP4_CODES;
    const unsigned char *scales = o->scales[0]->data + r * n_blocks;
    for (int64_t ib = 0; ib < n_blocks; ib++, codes += MXFP4_CODES) {
        *out++ = scales[ib];
        for (int j = 0; j < MXFP4_CODES; j++) {
            int shift = 4 * (j % 2); /* elements j and j + 16 */
            int low = codes[j / 2] >> shift & 15, high = codes[j / 2 + 8] >> shift & 15;
            *out++ = (unsigned char)(low | high << 4);
        }
    }
}

static bool is_same_type(st_dtype from, qtype to)
{
    return (from == ST_F32 && to == QT_F32) || (from == ST_F16 && to == QT_F16)
           || (from == ST_BF16 && to == QT_BF16);
}

bool tensors_bytes(const void *source, const gguf_tensor *t, int64_t row, void *out)
{
    const hf_tensors *ts = source;
    const hf_output *o = &ts->outputs[t - ts->infos];
    if (o->values) return false;
    if (o->row->change == HF_MXFP4) {
        mxfp4_row(o, t, row, out);
        return true;
    }
    row_place p = place_of(ts, t, row);
    if (o->is_vector || permutes_columns(o) || p.scales || o->scale != 0.0f
        || !is_same_type(p.in->dtype, t->type) || o->row->change == HF_TRANSPOSE
        || added(o->row->change) != 0.0f || o->row->change == HF_TERNARY
        || o->row->change == HF_UNIT_ROWS || o->row->change == HF_UNIT_COLUMNS
        || (o->row->change >= HF_RATE_ROWS && o->row->change <= HF_POWERS))
        return false;
    size_t size = st_dtype_bytes(p.in->dtype);
    memcpy(out, p.in->data + (size_t)(p.first + p.r * o->n_cols) * size, (size_t)t->ne[0] * size);
    return true;
}

void tensors_done(const void *source, const gguf_tensor *t)
{
    const hf_tensors *ts = source;
    const hf_output *o = &ts->outputs[t - ts->infos];
    for (int64_t i = 0; !o->values && i < o->n_sources; i++)
        folder_forget(ts->folder, o->sources[i]);
}
