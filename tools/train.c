/* train.c - trains a LLaMA-shaped model from text, or goes on with one on conversations.
 *
 *     train --vocab V.gguf --text stories.txt:3 --text books.txt --held-back val.txt -o M.gguf
 *     train --from M.gguf --vocab V.gguf --chat chats.jsonl:2 --text stories.txt -o CHAT.gguf
 *
 * Parts in tools/trainer/: vec (arithmetic), net (the model and its gradient), data
 * (windows of tokens), trainer (steps), store (files). Everything random is drawn by counter, and
 * every sum has one order: same files, options and instruction set give the same weights for any
 * number of threads, stopped and gone on with or not. */
#include "base/err.h"
#include "base/file.h"
#include "base/timer.h"
#include "cli/cli.h"
#include "trainer/trainer.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_STEPS = 50, SAVE_SECONDS = 120 };

typedef struct {
    const char *vocab, *out, *from, *checkpoint;
    opt_list text, running, chat, held_text, held_chat, set;
    llama_shape shape;
    trainer_params p;
    int n_threads, eval_every, stop_after;
} options;

static const options defaults = {
    .shape = { 256, 4, 8, 4, 768, 0, 512, 10000, 1e-5f },
    .p = { .n_steps = 1000, .n_warmup = 100, .n_batch = 12, .lr = 2e-3f, .decay = 0.1f },
    .eval_every = 250,
};

#define AT(member) offsetof(options, member)
static const opt_row rows[] = {
    { 0, "Files", .kind = OPT_HEAD },
    { 0, "vocab", OPT_STR, AT(vocab), "FILE", .help = "GGUF file of tokenizer and chat template" },
    { 0, "text", OPT_LIST, AT(text), "FILE[:W]",
      .help = "texts between lines <|endoftext|>; W: their weight beside others (default: 1)" },
    { 0, "running", OPT_LIST, AT(running), "FILE[:W]", .help = "one text, those lines included" },
    { 0, "chat", OPT_LIST, AT(chat), "FILE[:W]",
      .help = "conversations, {\"messages\": [...]} a line" },
    { 0, "held-back", OPT_LIST, AT(held_text), "FILE", .help = "texts to evaluate on" },
    { 0, "held-back-chat", OPT_LIST, AT(held_chat), "FILE", .help = "conversations for that" },
    { 0, "from", OPT_STR, AT(from), "FILE", .help = "weights to begin with, an f32 GGUF file" },
    { 0, "checkpoint", OPT_STR, AT(checkpoint), "FILE",
      .help = "kept up to date, and gone on from when it is there; a GGUF file, too" },
    { 'o', "out", OPT_STR, AT(out), "FILE", .help = "the model, GGUF with f32 weights" },
    { 0, "set", OPT_LIST, AT(set), "KEY=TEXT",
      .help = "what the model says of itself: general.KEY, such as name, author, license" },
    { 0, "Shape", .kind = OPT_HEAD },
    { 0, "n-embd", OPT_INT, AT(shape.n_embd), "N", .help = "width" },
    { 0, "n-layer", OPT_INT, AT(shape.n_layer), "N", .help = "layers" },
    { 0, "n-head", OPT_INT, AT(shape.n_head), "N", .help = "heads" },
    { 0, "n-kv-head", OPT_INT, AT(shape.n_kv_head), "N", .help = "heads of keys and values" },
    { 0, "n-ff", OPT_INT, AT(shape.n_ff), "N", .help = "width of the feed-forward layers" },
    { 'c', "n-ctx", OPT_INT, AT(shape.n_ctx), "N", .help = "context" },
    { 0, "Steps", .kind = OPT_HEAD },
    { 0, "steps", OPT_INT, AT(p.n_steps), "N", .help = "steps", .min = 1, .max = INT_MAX },
    { 0, "stop-after", OPT_INT, AT(stop_after), "N", .max = INT_MAX,
      .help = "stop after this step, 0 = the last; the schedule stays" },
    { 0, "warmup", OPT_INT, AT(p.n_warmup), "N", .max = INT_MAX,
      .help = "steps until the full learning rate" },
    { 'b', "batch", OPT_INT, AT(p.n_batch), "N", .min = 1, .max = MAX_BATCH,
      .help = "windows of n-ctx tokens a step" },
    { 0, "lr", OPT_FLOAT, AT(p.lr), "X", .help = "learning rate", .min = 1e-9, .max = 10 },
    { 0, "decay", OPT_FLOAT, AT(p.decay), "X", .help = "weight decay of matrices", .max = 100 },
    { 0, "dropout", OPT_FLOAT, AT(p.dropout), "X", .max = 0.9,
      .help = "share of what layers add that is dropped" },
    { 0, "split", OPT_FLOAT, AT(p.split), "X", .max = 1,
      .help = "share of the tokens that come as two shorter ones; it falls with the rate" },
    { 0, "seed", OPT_INT64, AT(p.seed), "N", .help = "of everything random" },
    { 't', "threads", OPT_INT, AT(n_threads), "N", .shown = "the physical cores", .max = 1024,
      .help = "threads; the weights do not depend on it" },
    { 0, "eval-every", OPT_INT, AT(eval_every), "N", .max = INT_MAX,
      .help = "steps between evaluations; 0 = at the end only" },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "train",
    .usage = "--vocab FILE --text FILE[:W] ... -o FILE [options]",
    .about = "Trains a LLaMA-shaped model on text and conversations.",
    .rows = rows,
};

/* Adds the files of an option, "FILE" or "FILE:W"; names of argv are ours to write to. */
static bool add_sources(data_list *to, const opt_list *files, data_kind kind, const lory_model *m,
                        lory_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < files->n; i++) {
        char *word = (char *)(uintptr_t)files->item[i], *colon = strrchr(word, ':');
        if (to->n == DATA_MAX_SOURCES)
            return err_set(err, LORY_E_ARGUMENT, "more than %d files", DATA_MAX_SOURCES);
        data_source *s = &to->source[to->n++];
        s->weight = 1.0;
        if (colon && !strchr(colon, '/')) {
            *colon = '\0';
            ok = opts_float(word, colon + 1, 0, 1e9, &s->weight, err);
        }
        ok = ok && data_read(s, word, kind, m, err);
        if (ok)
            fprintf(stderr, "%s: %zu documents, %.2f M tokens, weight %g\n", word, s->n_docs,
                    (double)s->tokens.n * 1e-6, s->weight);
    }
    return ok;
}

static bool read_data(const options *o, const lory_model *m, trainer *t, lory_err *err)
{
    if (o->text.n + o->running.n + o->chat.n == 0)
        return err_set(err, LORY_E_ARGUMENT, "no text: --text, --running or --chat names some");
    return add_sources(&t->data, &o->text, DATA_TEXTS, m, err)
           && add_sources(&t->data, &o->running, DATA_RUNNING, m, err)
           && add_sources(&t->data, &o->chat, DATA_CHATS, m, err)
           && add_sources(&t->held, &o->held_text, DATA_HELD, m, err)
           && add_sources(&t->held, &o->held_chat, DATA_CHATS, m, err);
}

/* What was done since the last report. */
typedef struct {
    double began; /* seconds */
    uint64_t first_step;
    net_sums sums;
} progress;

static void report(progress *g, const trainer *t)
{
    const net_sums *s = &g->sums;
    double spent = timer_now() - g->began, n_steps = (double)(t->state.step - g->first_step);
    double left = (double)(t->p.n_steps - (int64_t)t->state.step) * spent / n_steps;
    double rate = s->n_macs / s->seconds, peak = s->peak_macs / s->peak_seconds;
    fprintf(stderr,
            "step %llu  loss %.4f  norm %.2f  lr %.2e  %.0f tokens/s  products %.1f G/s, %.0f %% "
            "of peak  %.0f min left\n",
            (unsigned long long)t->state.step, s->loss / s->n_targets, t->norm, (double)t->adam.lr,
            n_steps * t->p.n_batch * t->n.s.n_ctx / spent, rate * 1e-9, 100.0 * rate / peak,
            left / 60.0);
    *g = (progress){ .began = timer_now(), .first_step = t->state.step };
}

static void evaluate(trainer *t)
{
    for (data_source *s = t->held.source; s < t->held.source + t->held.n; s++) {
        net_sums sums = trainer_eval(t, s);
        double loss = sums.loss / sums.n_targets;
        fprintf(stderr, "eval %llu  %s  loss %.4f  perplexity %.3f",
                (unsigned long long)t->state.step, s->name, loss, exp(loss));
        if (s->n_bytes)
            fprintf(stderr, "  bits per byte %.4f", sums.loss / log(2.0) / (double)s->n_bytes);
        fprintf(stderr, "  (%.0f tokens)\n", sums.n_targets);
    }
}

/* Steps until the last or a signal. */
static bool run(trainer *t, const options *o, lory_err *err)
{
    uint64_t last = (uint64_t)(o->stop_after ? o->stop_after : t->p.n_steps);
    double saved = timer_now();
    progress g = { .began = saved, .first_step = t->state.step };
    while (t->state.step < last && !cli_interrupted()) {
        net_sums sums = trainer_step(t);
        if (!isfinite(sums.loss))
            return err_set(err, LORY_E_NAN, "step %llu: the loss is no number",
                           (unsigned long long)t->state.step);
        net_add_sums(&g.sums, &sums);
        if (t->state.step % REPORT_STEPS == 0) report(&g, t);
        if (o->eval_every && t->state.step % (uint64_t)o->eval_every == 0 && t->state.step < last)
            evaluate(t);
        if (!o->checkpoint || timer_now() - saved < SAVE_SECONDS) continue;
        if (!trainer_write(t, o->checkpoint, true, err)) return false;
        saved = timer_now();
    }
    if (!cli_interrupted()) evaluate(t);
    return !o->checkpoint || trainer_write(t, o->checkpoint, true, err);
}

/* Whether the model can be written, before hours of training. */
static bool try_out(const char *path, lory_err *err)
{
    file_new f;
    if (!file_create(&f, path, err)) return false;
    file_abandon(&f);
    return true;
}

static trainer *new_trainer(options *o, const lory_model *m, lory_err *err)
{
    lory_model_info info;
    lory_model_get_info(m, &info);
    o->shape.n_vocab = info.n_vocab;
    if (!o->n_threads) o->n_threads = lory_default_threads();
    trainer *t = trainer_new(&o->shape, &o->p, lory_token_bos(m), o->n_threads, err);
    if (!t) return NULL;
    t->about = o->set;
    fprintf(stderr, "%.2f M parameters, %d threads, %s\n", (double)t->n.n_params * 1e-6,
            o->n_threads, lory_isa(NULL));
    return t;
}

static bool train(options *o, lory_err *err)
{
    const bool goes_on = o->checkpoint && file_exists(o->checkpoint);
    const char *first = goes_on ? o->checkpoint : o->from; /* the weights to begin with */
    lory_model *m = NULL;
    trainer *t = NULL;
    bool ok = try_out(o->out, err) && (m = lory_model_open(o->vocab, err))
              && (t = new_trainer(o, m, err)) && gguf_open(&t->vocab, o->vocab, err)
              && data_read_pieces(&t->rule, m, o->shape.n_vocab, err) && read_data(o, m, t, err)
              && (!first || trainer_read(t, first, goes_on, err)) && run(t, o, err);
    bool is_done = !cli_interrupted() || !o->checkpoint; /* a model that is there says so */
    ok = ok && (!is_done || trainer_write(t, o->out, false, err));
    trainer_free(t);
    lory_model_close(m);
    return ok;
}

int main(int argc, char **argv)
{
    options o = defaults;
    lory_err err;
    int status;
    cli_program = page.name;
    cli_begin();
    cli_catch_signals();
    cli_catch_termination();
    cli_catch_interrupt(NULL);
    if (!cli_parse(&page, &o, argc, argv, &status)) return cli_end(status);
    if (!o.vocab || !o.out)
        status = cli_usage("--vocab and --out are needed");
    else
        status = train(&o, &err) ? EXIT_OK : cli_fail(&err);
    if (status == EXIT_OK && cli_interrupted()) {
        cli_note("stopped; %s", o.checkpoint ? "the same command goes on from the checkpoint"
                                             : "the model is what was learnt so far");
        status = EXIT_INTERRUPTED;
    }
    opts_free(&page, &o);
    return cli_end(status);
}
