/* batch_run.h - one run of `lory batch`: what the command line asks for, what is open, and the
 * lines on their way from the input to the output.
 * Layer: cli. One thread. */
#ifndef LORY_CLI_BATCH_RUN_H
#define LORY_CLI_BATCH_RUN_H

#include "cli/batch_in.h"
#include "cli/batch_out.h"
#include "cli/batch_state.h"
#include "cli/batch_window.h"
#include "cli/cli.h"
#include "cli/progress.h"

typedef struct {
    model_opts model;
    session_opts session;
    sampling_opts sampling;
    constraint_opts constraint;
    const char *in, *out, *shard, *template;
    const char *stats; /* NULL: none, "": a line of text, "json" */
    opt_list stop;
    int n_predict, n_parallel, n_kv;
    bool resume, special, ignore_eos, verbose;
} batch_opts;

/* What is opened for it, close_run of cmd_batch.c closes. */
typedef struct {
    batch_opts *o;
    uint64_t shard, n_shards;
    batch_in in;
    lory_model *m;
    lory_batch *batch;
    batch_defaults d;
    lory_logit_bias *bias;
    cli_grammar grammar;     /* of lines without one of their own */
    kept grammars, toolsets; /* of those with one; of those with tools */
    buf template_text;
    batch_state state;
    batch_out out;
    uint64_t n_old; /* lines that were there already */
    batch_window window;
    buf text;
    progress progress;
    uint64_t n_errors; /* of an earlier run */
    double load_ms, start_ms, elapsed_ms;
    int status; /* of an open_run that failed */
} batch_run;

/* Sets r->state.settings to all that the bytes of the output depend on, besides input and model, by
 * the options' names. */
bool batch_describe_settings(batch_run *r, lory_err *err);

/* Opens the output: to begin it, or to go on behind the r->n_old lines that it has. No file that
 * the run reads is written; without --resume what the output had is gone. */
bool batch_open_output(batch_run *r, lory_err *err);

/* Answers all lines, and writes what is done whatever happens; the exit status, with one line on
 * standard error where it is not EXIT_OK. */
int batch_run_lines(batch_run *r);

/* What --stats asks for. */
void batch_print_stats(const batch_run *r);

#endif
