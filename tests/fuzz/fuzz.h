/* fuzz.h - the entries that feed arbitrary bytes to a parser, one file fuzz_X.c each.
 *
 * A fuzz entry takes any bytes and returns 0: it may reject them, but it never crashes, hangs,
 * leaks or takes memory out of proportion to n. It checks what must hold of whatever was accepted
 * (a round trip, an order, a bound) and calls abort() when it does not.
 *
 * The same function runs in two ways: tests/test_fuzz.c mutates the good inputs of seeds/X/ for a
 * moment in every `make test`; `make fuzz` gives it to clang's libFuzzer, which enters by the three
 * lines at the foot of each fuzz_X.c:
 *
 *     #ifdef LORY_FUZZ
 *     FUZZ_MAIN(fuzz_X)
 *     #endif
 *
 * A new parser: fuzz_X.c, seeds/X/, a declaration here, a test in test_fuzz.c. */
#ifndef LORY_TESTS_FUZZ_H
#define LORY_TESTS_FUZZ_H

#include "lory.h"
#include <stdlib.h>
#include <string.h>

#define MUST(claim)                                                                                \
    do {                                                                                           \
        if (!(claim)) abort();                                                                     \
    } while (0)

/* Whether an error is one line, and has a code. */
static inline bool fuzz_is_line(const lory_err *err)
{
    return err->code != LORY_OK && err->text[0] && !strchr(err->text, '\n');
}

/* Whether it also begins with the path of the file that is wrong. */
static inline bool fuzz_names(const lory_err *err, const char *path)
{
    return fuzz_is_line(err) && strncmp(err->text, path, strlen(path)) == 0;
}

int fuzz_gguf(const uint8_t *data, size_t n);      /* a weight file: its structure */
int fuzz_model(const uint8_t *data, size_t n);     /* a weight file: everything up to a token */
int fuzz_json(const uint8_t *data, size_t n);      /* reader, and the writer's round trip */
int fuzz_jinja(const uint8_t *data, size_t n);     /* a chat template, parsed and rendered */
int fuzz_utf8(const uint8_t *data, size_t n);      /* decoding, cutting at whole characters */
int fuzz_tokenizer(const uint8_t *data, size_t n); /* text to ids and back, several vocabularies */
int fuzz_grammar(const uint8_t *data, size_t n);   /* GBNF, and a text read by it */
int fuzz_talk(const uint8_t *data, size_t n);      /* a saved talk, and the state of its session */
int fuzz_history(const uint8_t *data, size_t n);   /* what was entered in a chat before */
int fuzz_calls(const uint8_t *data, size_t n);     /* tool calls in an answer */
int fuzz_schema(const uint8_t *data, size_t n);    /* a JSON Schema, and its grammar */
int fuzz_safetensors(const uint8_t *data, size_t n); /* a file of tensors, and their values */
int fuzz_imatrix(const uint8_t *data, size_t n);     /* an importance matrix, in both formats */
int fuzz_lora(const uint8_t *data, size_t n);        /* an adapter, and a token with it */
int fuzz_folder(const uint8_t *data, size_t n);      /* a folder that lory convert reads */
int fuzz_convert(const uint8_t *data, size_t n);     /* a file, in another type */
int fuzz_logits(const uint8_t *data, size_t n);      /* saved logits */
int fuzz_request(const uint8_t *data, size_t n);     /* a line of lory batch */
int fuzz_resume(const uint8_t *data, size_t n);      /* an output of it, to be gone on with */

#define FUZZ_MAIN(fuzz_x)                                                                          \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);                                     \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)                                      \
    {                                                                                              \
        return fuzz_x(data, n);                                                                    \
    }

#endif
