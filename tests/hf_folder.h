/* hf_folder.h - small Hugging Face folders for tests, made in the test's temporary directory; what
 * a converted file has. */
#ifndef LORY_TESTS_HF_FOLDER_H
#define LORY_TESTS_HF_FOLDER_H

#include "base/buf.h"
#include "base/err.h"
#include "convert/hf_convert.h"
#include "test.h"

typedef struct {
    char path[400];
    buf header, data; /* of the safetensors file under construction */
} hf_test;

hf_test hf_begin(const char *name);
/* A config of that class and an embedding [HF_N_VOCAB, 4]: all that vocabularies need. `more` are
 * further members of the config, as hf_json has them. */
enum { HF_N_VOCAB = 12 };
hf_test hf_begin_class(const char *class_name, const char *name, const char *more);
hf_test hf_begin_vocab(const char *name, const char *more); /* LLaMA's class */

void hf_file(const hf_test *t, const char *name, const void *bytes, size_t n);
void hf_text(const hf_test *t, const char *name, const char *text);
void hf_json(const hf_test *t, const char *name, const char *quoted); /* see test_unquoted */

/* A tensor of n_bytes: `shape` as JSON has it. */
void hf_tensor_bytes(hf_test *t, const char *name, const char *dtype, const char *shape,
                     const void *bytes, size_t n_bytes);
/* An F32 tensor [rows, cols] (rows 0: a vector) whose element i is first + i. */
void hf_add(hf_test *t, const char *name, int rows, int cols, float first);
/* Writes the tensors added since the last time to a file. */
void hf_weights(hf_test *t, const char *name);

/* Converts the folder; true with the file open, else *err says why. */
bool hf_make(const hf_test *t, qtype type, gguf *g, buf *notes, lory_err *err);
/* The same where it must be made. */
bool hf_must_make(const hf_test *t, gguf *g);
/* It must be refused, with that sentence behind the folder's name. */
void hf_refused(const hf_test *t, const char *want);

/* Element i of an F32 tensor; -1e9 where there is none. */
float hf_at(const gguf *g, const char *name, int i);
/* What a key must be; an absent one is -1. */
void hf_check_int(const gguf *g, const char *key, int64_t want);
void hf_check_float(const gguf *g, const char *key, double want);
void hf_check_str(const gguf *g, const char *key, const char *want);
/* The strings of an array, with '|' between; numbers as digits. */
void hf_check_list(const gguf *g, const char *key, const char *want);

#endif
