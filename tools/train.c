/* train.c - trains a LLaMA-shaped model from text, or goes on with one on conversations.
 *
 *     train --vocab V.gguf --text stories.txt:3 --text books.txt --held-back val.txt -o M.gguf
 *     train --from M.gguf --vocab V.gguf --chat chats.jsonl:2 --text stories.txt -o CHAT.gguf
 *
 * Parts in tools/trainer/: vec (arithmetic), net and attend (the model and its gradient), data
 * (windows of tokens), trainer (steps), store (files). Everything random is drawn by counter, and
 * every sum has one order: same files, options and instruction set give the same weights for any
 * number of threads, stopped and gone on with or not. */
#include "base/buf.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/file.h"
#include "base/timer.h"
#include "cli/opts.h"
#include "trainer/store.h"
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *vocab, *out, *from, *checkpoint;
    opt_list text, running, chat, held_text, held_chat;
    net_shape shape;
    trainer_params p;
    int64_t seed;
    int n_threads, eval_every, report_every, stop_after;
    float save_minutes;
    store_about about;
} options;

static const options defaults = {
    .shape = { .n_embd = 256,
               .n_layer = 4,
               .n_head = 8,
               .n_kv_head = 4,
               .n_ff = 768,
               .n_ctx = 512,
               .rope_theta = 10000.0f,
               .norm_eps = 1e-5f },
    .p = { .n_steps = 1000,
           .n_warmup = 100,
           .n_batch = 12,
           .lr = 2e-3f,
           .lr_end = 0.05f,
           .beta1 = 0.9f,
           .beta2 = 0.98f,
           .eps = 1e-8f,
           .decay = 0.1f,
           .clip = 1.0f,
           .average = 0.0f },
    .eval_every = 250,
    .report_every = 20,
    .save_minutes = 2.0f,
};

#define AT(member) offsetof(options, member)
static const opt_row rows[] = {
    { 0, "Files", .kind = OPT_HEAD },
    { 0, "vocab", OPT_STR, AT(vocab), "FILE",
      .help = "GGUF file with the tokenizer and chat template" },
    { 0, "text", OPT_LIST, AT(text), "FILE[:W]",
      .help = "text, documents between lines <|endoftext|>; W: "
              "its weight among the sources (default: 1)" },
    { 0, "running", OPT_LIST, AT(running), "FILE[:W]",
      .help = "one running text, the lines <|endoftext|> included" },
    { 0, "chat", OPT_LIST, AT(chat), "FILE[:W]",
      .help = "conversations, {\"messages\": [...]} a line" },
    { 0, "held-back", OPT_LIST, AT(held_text), "FILE", .help = "text to evaluate on" },
    { 0, "held-back-chat", OPT_LIST, AT(held_chat), "FILE",
      .help = "conversations to evaluate on" },
    { 0, "from", OPT_STR, AT(from), "FILE",
      .help = "begin with the weights of this f32 GGUF file" },
    { 0, "checkpoint", OPT_STR, AT(checkpoint), "FILE",
      .help = "kept up to date, and gone on from when it "
              "is there" },
    { 'o', "out", OPT_STR, AT(out), "FILE", .help = "the model, GGUF with f32 weights" },
    { 0, "Shape", .kind = OPT_HEAD },
    { 0, "n-embd", OPT_INT, AT(shape.n_embd), "N", .help = "width", .min = 32, .max = 65536 },
    { 0, "n-layer", OPT_INT, AT(shape.n_layer), "N", .help = "layers", .min = 1,
      .max = NET_MAX_LAYER },
    { 0, "n-head", OPT_INT, AT(shape.n_head), "N", .help = "heads", .min = 1, .max = 1024 },
    { 0, "n-kv-head", OPT_INT, AT(shape.n_kv_head), "N", .help = "heads of keys and values",
      .min = 1, .max = 1024 },
    { 0, "n-ff", OPT_INT, AT(shape.n_ff), "N", .help = "width of the feed-forward layers",
      .min = 32, .max = 65536 },
    { 'c', "n-ctx", OPT_INT, AT(shape.n_ctx), "N", .help = "context", .min = 32, .max = 65536 },
    { 0, "Steps", .kind = OPT_HEAD },
    { 0, "steps", OPT_INT, AT(p.n_steps), "N", .help = "steps of the schedule", .min = 1,
      .max = INT_MAX },
    { 0, "stop-after", OPT_INT, AT(stop_after), "N",
      .help = "stop after this step, 0 = the last; the "
              "schedule stays",
      .min = 0, .max = INT_MAX },
    { 0, "warmup", OPT_INT, AT(p.n_warmup), "N", .help = "steps until the full learning rate",
      .min = 0, .max = INT_MAX },
    { 'b', "batch", OPT_INT, AT(p.n_batch), "N", .help = "windows of n-ctx tokens a step", .min = 1,
      .max = MAX_BATCH },
    { 0, "lr", OPT_FLOAT, AT(p.lr), "X", .help = "learning rate", .min = 0, .max = 10 },
    { 0, "lr-end", OPT_FLOAT, AT(p.lr_end), "X", .help = "its last value as a share of it",
      .min = 0, .max = 1 },
    { 0, "beta1", OPT_FLOAT, AT(p.beta1), "X", .help = "AdamW's", .min = 0, .max = 0.999999 },
    { 0, "beta2", OPT_FLOAT, AT(p.beta2), "X", .help = "AdamW's", .min = 0, .max = 0.999999 },
    { 0, "decay", OPT_FLOAT, AT(p.decay), "X", .help = "weight decay of matrices", .min = 0,
      .max = 100 },
    { 0, "clip", OPT_FLOAT, AT(p.clip), "X", .help = "longest gradient; 0 = any", .min = 0,
      .max = 1e9 },
    { 0, "dropout", OPT_FLOAT, AT(p.dropout), "X",
      .help = "share of what layers add that is dropped", .min = 0, .max = 0.9 },
    { 0, "drop-tokens", OPT_FLOAT, AT(p.drop_tokens), "X",
      .help = "share of the tokens that the model does not see", .min = 0, .max = 0.9 },
    { 0, "split", OPT_FLOAT, AT(p.split), "X",
      .help = "share of the tokens that come as two shorter ones; it falls with the rate", .min = 0,
      .max = 1 },
    { 0, "average", OPT_FLOAT, AT(p.average), "X",
      .help = "how much of an average of the weights a step "
              "keeps; the model is the average; 0 = none",
      .min = 0, .max = 0.999999 },
    { 0, "seed", OPT_INT64, AT(seed), "N", .help = "of everything random", .min = 0 },
    { 't', "threads", OPT_INT, AT(n_threads), "N",
      .help = "threads; the weights do not depend on it", .shown = "the physical cores", .min = 0,
      .max = 1024 },
    { 0, "report-every", OPT_INT, AT(report_every), "N", .help = "steps", .min = 1,
      .max = INT_MAX },
    { 0, "eval-every", OPT_INT, AT(eval_every), "N", .help = "steps; 0 = at the end only", .min = 0,
      .max = INT_MAX },
    { 0, "save-minutes", OPT_FLOAT, AT(save_minutes), "X", .help = "between checkpoints", .min = 0,
      .max = 1e6 },
    { 0, "What the file says of itself", .kind = OPT_HEAD },
    { 0, "name", OPT_STR, AT(about.name), "TEXT", .help = "general.name" },
    { 0, "author", OPT_STR, AT(about.author), "TEXT", .help = "general.author" },
    { 0, "licence", OPT_STR, AT(about.licence), "TEXT", .help = "general.license" },
    { 0, "description", OPT_STR, AT(about.description), "TEXT", .help = "general.description" },
    { .kind = OPT_END },
};

static const opts_page page = {
    "train",
    "--vocab FILE --text FILE[:W] ... -o FILE [options]",
    "Trains a LLaMA-shaped model on text and conversations.",
    rows,
    NULL,
    NULL,
};

static volatile sig_atomic_t is_stopped;
static void stop(int sig)
{
    (void)sig;
    is_stopped = 1;
}

/* ---- sources ------------------------------------------------------------------------------ */

/* "FILE:W" into its parts; `word` is cut. */
static bool split_weight(char *word, double *weight, lory_err *err)
{
    char *colon = strrchr(word, ':');
    *weight = 1.0;
    if (!colon || strchr(colon, '/')) return true;
    *colon = '\0';
    return opts_float(word, colon + 1, 0, 1e9, weight, err);
}

static bool add_source(trainer_state *s, const char *item, bool is_chat, data_text kind,
                       const lory_model *m, lory_err *err)
{
    if (s->n_sources == MAX_SOURCES)
        return err_set(err, LORY_E_ARGUMENT, "more than %d sources", MAX_SOURCES);
    data_source *src = &s->source[s->n_sources++];
    char *word = (char *)(uintptr_t)item; /* of argv, which is ours to write to */
    bool ok =
        split_weight(word, &src->weight, err)
        && (is_chat ? data_read_chat(src, word, m, err) : data_read_text(src, word, m, kind, err));
    if (ok)
        fprintf(stderr, "%s: %zu documents, %.2f M tokens, weight %g\n", word, src->n_docs,
                (double)src->n * 1e-6, src->weight);
    return ok;
}

static bool add_sources(trainer_state *s, const options *o, const lory_model *m, lory_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < o->text.n; i++)
        ok = add_source(s, o->text.item[i], false, DATA_TEXTS, m, err);
    for (size_t i = 0; ok && i < o->running.n; i++)
        ok = add_source(s, o->running.item[i], false, DATA_RUNNING, m, err);
    for (size_t i = 0; ok && i < o->chat.n; i++)
        ok = add_source(s, o->chat.item[i], true, DATA_TEXTS, m, err);
    if (ok && s->n_sources == 0)
        return err_set(err, LORY_E_ARGUMENT, "no text: --text or --chat names some");
    return ok;
}

typedef struct {
    data_source source[MAX_SOURCES];
    int n;
} held_back;

static bool read_held_back(held_back *h, const options *o, const lory_model *m, lory_err *err)
{
    bool ok = o->held_text.n + o->held_chat.n <= MAX_SOURCES
              || err_set(err, LORY_E_ARGUMENT, "more than %d files held back", MAX_SOURCES);
    for (size_t i = 0; ok && i < o->held_text.n; i++)
        ok = data_read_text(&h->source[h->n++], o->held_text.item[i], m, DATA_HELD, err);
    for (size_t i = 0; ok && i < o->held_chat.n; i++)
        ok = data_read_chat(&h->source[h->n++], o->held_chat.item[i], m, err);
    return ok;
}

/* ---- progress ----------------------------------------------------------------------------- */

typedef struct {
    double began, reported, saved; /* seconds */
    double loss;                   /* sum since the last report */
    int n_losses;
    int64_t n_tokens; /* since the last report */
    net_speed speed;  /* at the last report */
} progress;

static void report(progress *g, const trainer *t, const options *o, uint64_t step,
                   const trainer_report *r)
{
    double now = timer_now(), spent = now - g->reported;
    net_speed s = trainer_speed(t), *was = &g->speed;
    double rate = (s.n_macs - was->n_macs) / (s.seconds - was->seconds);
    double peak = (s.peak_macs - was->peak_macs) / (s.peak_seconds - was->peak_seconds);
    double left = (double)(o->p.n_steps - (int64_t)step) * spent / o->report_every;
    fprintf(
        stderr,
        "step %llu  loss %.4f  norm %.2f  lr %.2e  %.0f tokens/s  products %.1f G/s, %.0f %% of "
        "peak  %.0f min left\n",
        (unsigned long long)step, g->loss / g->n_losses, r->norm, r->lr,
        (double)g->n_tokens / spent, rate * 1e-9, 100.0 * rate / peak, left / 60.0);
    g->reported = now;
    g->loss = 0.0;
    g->n_losses = 0;
    g->n_tokens = 0;
    g->speed = s;
}

static void evaluate(trainer *t, const held_back *h, uint64_t step)
{
    for (int i = 0; i < h->n; i++) {
        trainer_score s;
        trainer_eval(t, &h->source[i], &s);
        fprintf(stderr, "eval %llu  %s  loss %.4f  perplexity %.3f", (unsigned long long)step,
                h->source[i].name, s.loss, exp(s.loss));
        if (s.bits_per_byte > 0.0) fprintf(stderr, "  bits per byte %.4f", s.bits_per_byte);
        fprintf(stderr, "  (%lld tokens)\n", (long long)s.n_targets);
    }
}

/* ---- the run ------------------------------------------------------------------------------ */

static bool save(trainer *t, const options *o, progress *g, lory_err *err)
{
    g->saved = timer_now();
    return !o->checkpoint || store_checkpoint(t, o->checkpoint, err);
}

static bool run(trainer *t, const options *o, const held_back *h, progress *g, lory_err *err)
{
    trainer_state *s = trainer_get_state(t);
    uint64_t last = (uint64_t)(o->stop_after ? o->stop_after : o->p.n_steps);
    trainer_report r;
    g->began = g->reported = g->saved = timer_now();
    while (s->step < last && !is_stopped) {
        trainer_step(t, &r);
        if (!isfinite(r.loss))
            return err_set(err, LORY_E_NAN, "step %llu: the loss is no number",
                           (unsigned long long)s->step);
        g->loss += r.loss;
        g->n_losses++;
        g->n_tokens += (int64_t)o->p.n_batch * o->shape.n_ctx;
        if (s->step % (uint64_t)o->report_every == 0) report(g, t, o, s->step, &r);
        if (o->eval_every && s->step % (uint64_t)o->eval_every == 0 && s->step < last)
            evaluate(t, h, s->step);
        if (timer_now() - g->saved > 60.0 * (double)o->save_minutes && !save(t, o, g, err))
            return false;
    }
    evaluate(t, h, s->step);
    return save(t, o, g, err);
}

static bool begin(trainer *t, const options *o, const lory_model *m, lory_err *err)
{
    if (!add_sources(trainer_get_state(t), o, m, err)
        || !data_split_init(&trainer_get_state(t)->split, m, o->shape.n_vocab, err))
        return false;
    if (o->checkpoint && file_exists(o->checkpoint)) return store_resume(t, o->checkpoint, err);
    return !o->from || store_read_weights(t, o->from, err);
}

/* Whether the model can be written, before hours of training. */
static bool try_out(const char *path, lory_err *err)
{
    file_new f;
    if (!file_create(&f, path, err)) return false;
    file_abandon(&f);
    return true;
}

static bool train(options *o, lory_err *err)
{
    gguf vocab;
    trainer *t = NULL;
    held_back h = { .n = 0 };
    progress g = { 0 };
    lory_model_info info = { 0 };
    if (!o->vocab || !o->out) return err_set(err, LORY_E_ARGUMENT, "--vocab and --out are needed");
    lory_model *m = try_out(o->out, err) ? lory_model_open(o->vocab, err) : NULL;
    if (!m) return false;
    bool has_vocab = gguf_open(&vocab, o->vocab, err), ok = has_vocab;
    lory_model_get_info(m, &info);
    o->shape.n_vocab = info.n_vocab;
    o->p.seed = (uint64_t)o->seed;
    int n_threads = o->n_threads ? o->n_threads : lory_default_threads();
    if (ok && lory_token_bos(m) < 0)
        ok = err_set(err, LORY_E_FORMAT, "%s: has no begin token", o->vocab);
    ok = ok && (t = trainer_new(&o->shape, &o->p, lory_token_bos(m), n_threads, err)) != NULL
         && begin(t, o, m, err) && read_held_back(&h, o, m, err);
    if (ok)
        fprintf(stderr, "%.2f M parameters, %d threads, %s\n",
                (double)trainer_net(t)->n_params * 1e-6, n_threads, trainer_net(t)->v->name);
    ok = ok && run(t, o, &h, &g, err)
         && store_model(t, o->p.average > 0.0f, &vocab, &o->about, o->out, err);
    for (int i = 0; i < h.n; i++) data_free(&h.source[i]);
    trainer_free(t);
    if (has_vocab) gguf_close(&vocab);
    lory_model_close(m);
    return ok;
}

int main(int argc, char **argv)
{
    options o = defaults;
    lory_err err;
    buf help = { 0 };
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    switch (opts_parse(&page, &o, argc, argv, &err)) {
    case OPTS_HELP:
        opts_help(&page, &o, false, &help);
        printf("Usage:%s", help.data + strlen("Usage: lory")); /* this is a program of its own */
        buf_free(&help);
        return 0;
    case OPTS_WRONG: fprintf(stderr, "train: %s\n", err.text); return 2;
    default: break;
    }
    bool ok = train(&o, &err);
    if (!ok) fprintf(stderr, "train: %s\n", err.text);
    opts_free(&page, &o);
    return ok ? 0 : 1;
}
