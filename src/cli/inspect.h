/* inspect.h - what lory inspect knows about a file, and its two forms of output.
 * Layer: cli, a file command. */
#ifndef LORY_CLI_INSPECT_H
#define LORY_CLI_INSPECT_H

#include "base/buf.h"
#include "gguf/gguf.h"
#include "lory.h"

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
} inspection;

/* Appends the whole output. */
void inspect_text(const inspection *x, bool is_bold, buf *out);
void inspect_json(const inspection *x, buf *out);

/* The text of token `id`, as the file has it; empty when there is none. */
gguf_str inspect_token(const gguf *g, uint64_t id);
/* An unsigned integer of ARCH.suffix, e.g. llama.block_count; false when it is not there. */
bool inspect_arch_uint(const gguf *g, const char *suffix, uint64_t *value);
/* 1234567 with unit "B": "1.23 MB"; each prefix is a thousand of the one before. Returns text. */
const char *inspect_scaled(double v, const char *unit, char text[32]);
/* A string, or empty when the key is absent or no string. */
gguf_str inspect_str(const gguf *g, const char *key);

#endif
