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

#include <stddef.h>
#include <stdint.h>

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

#define FUZZ_MAIN(fuzz_x)                                                                          \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);                                     \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)                                      \
    {                                                                                              \
        return fuzz_x(data, n);                                                                    \
    }

#endif
