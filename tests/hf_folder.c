/* hf_folder.c - see hf_folder.h. */
#include "hf_folder.h"
#include "base/bytes.h"
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

hf_test hf_begin(const char *name)
{
    hf_test t = { 0 };
    snprintf(t.path, sizeof t.path, "%s", test_temp(name));
    mkdir(t.path, 0777);
    return t;
}

void hf_file(const hf_test *t, const char *name, const void *bytes, size_t n)
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

void hf_text(const hf_test *t, const char *name, const char *text)
{
    hf_file(t, name, text, strlen(text));
}

void hf_json(const hf_test *t, const char *name, const char *quoted)
{
    char *text = test_unquoted(quoted);
    hf_text(t, name, text);
    free(text);
}

void hf_tensor_bytes(hf_test *t, const char *name, const char *dtype, const char *shape,
                     const void *bytes, size_t n_bytes)
{
    size_t at = t->data.len;
    buf_puts(&t->header, t->header.len ? "," : "{");
    buf_printf(&t->header, "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
               name, dtype, shape, at, at + n_bytes);
    buf_put(&t->data, bytes, n_bytes);
}

void hf_add(hf_test *t, const char *name, int rows, int cols, float first)
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

void hf_weights(hf_test *t, const char *name)
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

hf_test hf_begin_class(const char *class_name, const char *name, const char *more)
{
    char text[800];
    hf_test t = hf_begin(name);
    snprintf(text, sizeof text,
             "{'architectures':['%s'],'hidden_size':4,'num_hidden_layers':1,"
             "'num_attention_heads':1,'intermediate_size':4,'max_position_embeddings':64,"
             "'rms_norm_eps':1e-5,'vocab_size':%d%s}",
             class_name, HF_N_VOCAB, more);
    hf_json(&t, "config.json", text);
    hf_add(&t, "model.embed_tokens.weight", HF_N_VOCAB, 4, 0.0f);
    hf_weights(&t, "model.safetensors");
    return t;
}

hf_test hf_begin_vocab(const char *name, const char *more)
{
    return hf_begin_class("LlamaForCausalLM", name, more);
}

bool hf_make(const hf_test *t, qtype type, gguf *g, buf *notes, lory_err *err)
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

bool hf_must_make(const hf_test *t, gguf *g)
{
    lory_err err = { 0 };
    buf notes = { 0 };
    bool ok = hf_make(t, RETYPE_KEEP, g, &notes, &err);
    CHECK(ok, "%s", err.text);
    buf_free(&notes);
    return ok;
}

void hf_refused(const hf_test *t, const char *want)
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

float hf_at(const gguf *g, const char *name, int i)
{
    const gguf_tensor *t = gguf_find_tensor(g, name);
    if (!t || t->type != QT_F32 || (size_t)i * 4 >= t->n_bytes) {
        test_fail(__FILE__, __LINE__, "%s has no F32 element %d", name, i);
        return -1e9f;
    }
    return bytes_f32((const char *)t->data + 4 * i);
}

void hf_check_int(const gguf *g, const char *key, int64_t want)
{
    const gguf_kv *kv = gguf_find(g, key);
    int64_t got = kv ? gguf_int_at(kv, 0) : -1;
    CHECK(got == want, "%s is %d, want %d", key, (int)got, (int)want);
}

void hf_check_float(const gguf *g, const char *key, double want)
{
    const gguf_kv *kv = gguf_find(g, key);
    double got = kv ? gguf_float_at(kv, 0) : NAN;
    CHECK(fabs(got - want) <= 1e-6 * fabs(want), "%s is %g, want %g", key, got, want);
}

void hf_check_str(const gguf *g, const char *key, const char *want)
{
    gguf_str s = { "(none)", 6 };
    lory_err err;
    CHECK(gguf_get_str(g, key, &s, &err) && gguf_str_is(s, want), "%s is %.*s, want %s", key,
          (int)s.n, s.s, want);
}

void hf_check_list(const gguf *g, const char *key, const char *want)
{
    buf b = { 0 };
    gguf_str s;
    const gguf_kv *kv = gguf_find(g, key);
    REQUIRE(kv, "no %s", key);
    if (kv->elem == GGUF_STR)
        for (gguf_str_iter it = gguf_strings(kv); gguf_next(&it, &s);)
            buf_printf(&b, "%s%.*s", b.len ? "|" : "", (int)s.n, s.s);
    else
        for (uint64_t i = 0; i < kv->n; i++) buf_printf(&b, "%d", (int)gguf_int_at(kv, i));
    CHECK_STR(b.data, want);
    buf_free(&b);
}
