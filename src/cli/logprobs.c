/* logprobs.c - see logprobs.h.
 * The probabilities are the model's own: the softmax of all logits, before any sampler stage. */
#include "cli/logprobs.h"
#include "base/err.h"
#include "base/fmath.h"
#include "base/mem.h"
#include "text/json.h"
#include <string.h>

typedef struct {
    size_t text_end; /* bytes of text up to and with this token */
    size_t line_end; /* bytes of `held` up to its line's end */
} held_line;

struct logprobs {
    const lory_model *m;
    int n_vocab, n_top;
    lory_token *top; /* [n_top] likeliest first */
    buf held;        /* lines not yet released */
    held_line *line; /* [n_line] */
    size_t n_line, cap;
    size_t n_released; /* bytes of text handed on so far */
};

logprobs *logprobs_new(const lory_model *m, int n_top)
{
    lory_model_info info;
    lory_model_get_info(m, &info);
    logprobs *l = mem_new(1, sizeof *l);
    if (!l) return NULL;
    l->m = m;
    l->n_vocab = info.n_vocab;
    l->n_top = n_top < info.n_vocab ? n_top : info.n_vocab;
    l->top = mem_new((size_t)l->n_top, sizeof l->top[0]);
    if (l->top) return l;
    mem_free(l);
    return NULL;
}

void logprobs_free(logprobs *l)
{
    if (!l) return;
    buf_free(&l->held);
    mem_free(l->line);
    mem_free(l->top);
    mem_free(l);
}

void logprobs_find_top(const float *logits, int n_vocab, lory_token *top, int n_top)
{
    int n = 0;
    for (int id = 0; id < n_vocab; id++) {
        if (n == n_top && (n == 0 || logits[id] <= logits[top[n - 1]])) continue;
        int i = n < n_top ? n++ : n - 1;
        for (; i > 0 && logits[id] > logits[top[i - 1]]; i--) top[i] = top[i - 1];
        top[i] = id;
    }
}

/* Shifted by the greatest, so that nothing overflows. */
double logprobs_log_sum(const float *logits, int n)
{
    double max = (double)logits[0], sum = 0;
    for (int i = 1; i < n; i++)
        if ((double)logits[i] > max) max = (double)logits[i];
    for (int i = 0; i < n; i++) sum += math_exp((double)logits[i] - max);
    return max + math_log(sum);
}

/* "id", "text", "bytes", "logprob" of one token; text is not the whole truth where the bytes are
 * not whole characters. */
static void put_token(const logprobs *l, json_writer *w, lory_token id, double logprob)
{
    size_t n;
    const char *text = lory_token_text(l->m, id, &n);
    json_member_int(w, "id", id);
    json_member_bytes(w, "text", text, n);
    json_open_array(w, "bytes");
    for (size_t i = 0; i < n; i++) json_put_int(w, (unsigned char)text[i]);
    json_end_array(w);
    json_put_key(w, "logprob");
    json_put_f32(w, (float)logprob);
}

static void put_line(logprobs *l, lory_token id, const float *logits)
{
    json_writer w = { &l->held, false };
    double sum = logprobs_log_sum(logits, l->n_vocab);
    logprobs_find_top(logits, l->n_vocab, l->top, l->n_top);
    json_begin_object(&w);
    put_token(l, &w, id, (double)logits[id] - sum);
    json_open_array(&w, "top");
    for (int i = 0; i < l->n_top; i++) {
        json_begin_object(&w);
        put_token(l, &w, l->top[i], (double)logits[l->top[i]] - sum);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_putc(&l->held, '\n');
}

static bool hold(logprobs *l, const lory_piece *piece)
{
    if (l->n_line == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        held_line *grown = mem_resize(l->line, l->cap, cap, sizeof *grown);
        if (!grown) return false;
        l->line = grown;
        l->cap = cap;
    }
    put_line(l, piece->id, piece->logits);
    l->line[l->n_line++] = (held_line){ piece->text_end, l->held.len };
    return !l->held.failed;
}

/* Moves the first n held lines to *out. */
static bool release(logprobs *l, size_t n, buf *out)
{
    if (n == 0) return true;
    size_t n_bytes = l->line[n - 1].line_end;
    bool ok = buf_put(out, l->held.data, n_bytes);
    l->held.len -= n_bytes;
    memmove(l->held.data, l->held.data + n_bytes, l->held.len);
    l->n_line -= n;
    memmove(l->line, l->line + n, l->n_line * sizeof l->line[0]);
    for (size_t i = 0; i < l->n_line; i++) l->line[i].line_end -= n_bytes;
    return ok;
}

bool logprobs_put(logprobs *l, const lory_piece *piece, buf *out, lory_err *err)
{
    size_t n = 0;
    bool ok = piece->id < 0 || hold(l, piece);
    l->n_released += piece->n_text;
    while (n < l->n_line && l->line[n].text_end <= l->n_released) n++;
    if (ok && release(l, n, out)) return true;
    return err_set(err, LORY_E_MEMORY, "--logprobs: no memory for the lines");
}

bool logprobs_flush(logprobs *l, buf *out)
{
    return release(l, l->n_line, out);
}
