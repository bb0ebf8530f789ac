/* inspect.h - what lory inspect knows about a file, and its two forms of output.
 * Layer: cli, a file command. */
#ifndef LORY_CLI_INSPECT_H
#define LORY_CLI_INSPECT_H

#include "base/buf.h"
#include "base/mem.h"
#include "gguf/gguf.h"
#include "lory.h"

/* Findings of one kind that differ only in the numbers of their names: "blk.*.ssm_in.weight". */
typedef struct {
    lory_finding_kind kind;
    const char *name; /* in the inspection's arena, like the text */
    const char *text;
    size_t n;
} inspect_finding;

typedef struct {
    int first_layer, last_layer;
    const char *text;
} inspect_step;

typedef struct {
    const char *path;
    gguf g;
    gguf_type_use use[QT_COUNT];
    uint64_t n_params;
    bool has_plan; /* else plan_err says what is missing */
    lory_memory_plan plan;
    lory_err plan_err;
    const char *cache_type; /* of the plan's KV cache */
    bool with_tensors;
    inspect_finding *finding; /* [n_finding] what lory does not know */
    inspect_step *step;       /* [n_step] of the plan */
    size_t n_finding, n_step;
    mem_arena arena;
} inspection;

/* What lory knows and lacks: findings, plan and memory for a session with these parameters. False
 * when the file can't be read. */
bool inspect_survey(inspection *x, lory_err *err);
bool inspect_plan(inspection *x, const lory_model *m, const lory_session_params *p, lory_err *err);
void inspect_free(inspection *x);
bool inspect_runs(const inspection *x); /* no finding is an obstacle, and opening found none */

/* Appends the whole output. */
void inspect_text(const inspection *x, bool is_bold, buf *out);
void inspect_json(const inspection *x, buf *out);

/* The text of token `id`, as the file has it; empty when there is none. */
gguf_str inspect_token(const gguf *g, uint64_t id);
/* An unsigned integer of ARCH.suffix, e.g. llama.block_count; false when it is not there. */
bool inspect_arch_uint(const gguf *g, const char *suffix, uint64_t *value);
/* The least and the most of a number that layers may have each. */
bool inspect_arch_range(const gguf *g, const char *suffix, uint64_t *least, uint64_t *most);
/* 1234567 with unit "B": "1.23 MB"; each prefix is a thousand of the one before. Returns text. */
const char *inspect_scaled(double v, const char *unit, char text[32]);
/* "q4_0"; of a type that lory does not know its number. Returns text. */
const char *inspect_type_name(const gguf_tensor *t, char text[32]);
/* ARCH.suffix as a number, or `otherwise`. */
double inspect_arch_number(const gguf *g, const char *suffix, double otherwise);
gguf_str inspect_arch_str(const gguf *g, const char *suffix);
/* A string, or empty when the key is absent or no string. */
gguf_str inspect_str(const gguf *g, const char *key);

#endif
