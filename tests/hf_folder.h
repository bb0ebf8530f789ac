/* hf_folder.h - small Hugging Face folders for tests, made in the test's temporary directory. */
#ifndef LORY_TESTS_HF_FOLDER_H
#define LORY_TESTS_HF_FOLDER_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "convert/hf_convert.h"
#include "test.h"
#include <stdlib.h>
#include <sys/stat.h>

typedef struct {
    char path[400];
    buf header, data; /* of the safetensors file under construction */
} hf_test;

static inline hf_test hf_begin(const char *name)
{
    hf_test t = { 0 };
    snprintf(t.path, sizeof t.path, "%s", test_temp(name));
    mkdir(t.path, 0777);
    return t;
}

static inline void hf_file(const hf_test *t, const char *name, const void *bytes, size_t n)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", t->path, name);
    FILE *f = fopen(path, "wb");
    if (!f) {
        test_fail(__FILE__, __LINE__, "cannot write %s", path);
        return;
    }
    fwrite(bytes, 1, n, f);
    fclose(f);
}

static inline void hf_text(const hf_test *t, const char *name, const char *text)
{
    hf_file(t, name, text, strlen(text));
}

/* JSON that has ' for each ", so that strings of C can hold it. */
static inline void hf_json(const hf_test *t, const char *name, const char *quoted)
{
    buf text = { 0 };
    for (const char *c = quoted; *c; c++) buf_putc(&text, *c == '\'' ? '"' : *c);
    hf_file(t, name, text.data, text.len);
    buf_free(&text);
}

/* A tensor of n_bytes: `shape` as JSON has it. */
static inline void hf_tensor_bytes(hf_test *t, const char *name, const char *dtype,
                                   const char *shape, const void *bytes, size_t n_bytes)
{
    size_t at = t->data.len;
    buf_puts(&t->header, t->header.len ? "," : "{");
    buf_printf(&t->header, "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
               name, dtype, shape, at, at + n_bytes);
    buf_put(&t->data, bytes, n_bytes);
}

/* An F32 tensor [rows, cols] (rows 0: a vector) whose element i is first + i. */
static inline void hf_add(hf_test *t, const char *name, int rows, int cols, float first)
{
    int n = (rows ? rows : 1) * cols;
    char shape[48];
    float *v = malloc((size_t)n * sizeof *v);
    for (int i = 0; i < n; i++) v[i] = first + (float)i;
    if (rows)
        snprintf(shape, sizeof shape, "[%d,%d]", rows, cols);
    else
        snprintf(shape, sizeof shape, "[%d]", cols);
    hf_tensor_bytes(t, name, "F32", shape, v, (size_t)n * sizeof *v);
    free(v);
}

/* Writes the tensors added since the last time to a file. */
static inline void hf_weights(hf_test *t, const char *name)
{
    buf b = { 0 };
    unsigned char length[8] = { 0 };
    buf_putc(&t->header, '}');
    bytes_put_u32(length, (uint32_t)t->header.len);
    buf_put(&b, length, 8);
    buf_put(&b, t->header.data, t->header.len);
    buf_put(&b, t->data.data, t->data.len);
    hf_file(t, name, b.data, b.len);
    buf_free(&b);
    buf_free(&t->header);
    buf_free(&t->data);
}

/* Converts the folder; true with the file open, else *err says why. */
static inline bool hf_make(const hf_test *t, qtype type, gguf *g, buf *notes, lory_err *err)
{
    char out[500];
    snprintf(out, sizeof out, "%s.gguf", t->path);
    convert_params p = { .out = out, .type = type };
    *g = (gguf){ 0 };
    if (hf_convert(t->path, &p, notes, err)) return gguf_open(g, out, err);
    struct stat st;
    CHECK(stat(out, &st) != 0, "%s is there after a failure", out);
    return false;
}

/* The sentence of a failure behind the folder's name. */
static inline void hf_refused(const hf_test *t, const char *want)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    size_t n = strlen(t->path);
    if (hf_make(t, RETYPE_KEEP, &g, &notes, &err))
        test_fail(__FILE__, __LINE__, "converted; want \"%s\"", want);
    else if (strncmp(err.text, t->path, n) != 0 || strcmp(err.text + n, want) != 0)
        test_fail(__FILE__, __LINE__, "got \"%s\", want \"PATH%s\"", err.text, want);
    gguf_close(&g);
    buf_free(&notes);
}

/* Element i of an F32 tensor; -1e9 where there is none. */
static inline float hf_at(const gguf *g, const char *name, int i)
{
    const gguf_tensor *t = gguf_find_tensor(g, name);
    if (!t || t->type != QT_F32 || (size_t)i * 4 >= t->n_bytes) {
        test_fail(__FILE__, __LINE__, "%s has no F32 element %d", name, i);
        return -1e9f;
    }
    return bytes_f32((const char *)t->data + 4 * i);
}

#endif
