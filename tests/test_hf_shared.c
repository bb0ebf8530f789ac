/* test_hf_shared.c - the folders of the shared data, to the bit of other converters' files, or to
 * the logits of the reference implementation. */
#include "hf_folder.h"
#include "base/file.h"
#include "lory.h"
#include "text/json.h"
#include <math.h>

/* ---- the folders of the shared data -------------------------------------------------------- */

/* What their converters put otherwise: names of models; and what config.json knows better. */
static bool is_exception(const char *model, gguf_str key)
{
    static const char *const names[] = { "general.name",     "general.basename",
                                         "general.finetune", "general.version",
                                         "general.type",     "general.quantization_version" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (gguf_str_is(key, names[i])) return true;
    if (strcmp(model, "gpt-oss") == 0 && gguf_str_is(key, "general.file_type")) return true;
    if (strcmp(model, "bloom") == 0 && gguf_str_is(key, "bloom.context_length")) return true;
    return strcmp(model, "glm-hf") == 0 && gguf_str_is(key, "chatglm.context_length");
}

static const gguf_kv *find_key(const gguf *g, gguf_str key)
{
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)key.n, key.s);
    return gguf_find(g, name);
}

static void check_keys(const char *model, const gguf *got, const gguf *want)
{
    for (size_t i = 0; i < want->n_kv; i++) {
        const gguf_kv *w = &want->kv[i], *h = find_key(got, w->key);
        if (is_exception(model, w->key)) continue;
        CHECK(h && h->type == w->type && h->elem == w->elem && h->n_bytes == w->n_bytes
                  && memcmp(h->data, w->data, w->n_bytes) == 0,
              "%s: key %.*s", model, (int)w->key.n, w->key.s);
    }
}

static void check_tensors(const char *model, const gguf *got, const gguf *want)
{
    char name[128];
    CHECK(got->n_tensors == want->n_tensors, "%s: %zu tensors, want %zu", model, got->n_tensors,
          want->n_tensors);
    for (size_t i = 0; i < want->n_tensors; i++) {
        const gguf_tensor *w = &want->tensors[i];
        snprintf(name, sizeof name, "%.*s", (int)w->name.n, w->name.s);
        const gguf_tensor *h = gguf_find_tensor(got, name);
        CHECK(h && h->type == w->type && h->n_dims == w->n_dims
                  && memcmp(h->ne, w->ne, sizeof w->ne) == 0
                  && memcmp(h->data, w->data, w->n_bytes) == 0,
              "%s: tensor %s", model, name);
    }
}

static void check_folder(const char *model, const char *type)
{
    gguf got, want;
    buf notes = { 0 };
    lory_err err = { 0 };
    char path[300], out[500];
    snprintf(path, sizeof path, "golden/%s", model);
    const char *folder = test_shared(path);
    REQUIRE(folder, "no %s", path);
    snprintf(out, sizeof out, "%s", test_temp("out.gguf"));
    convert_params p = { .out = out, .type = strcmp(type, "mxfp4") ? RETYPE_KEEP : QT_F32 };
    if (!hf_convert(folder, &p, &notes, &err)) {
        test_fail(__FILE__, __LINE__, "%s", err.text);
        return;
    }
    snprintf(path, sizeof path, "%s/model-%s.gguf", folder, type);
    REQUIRE(gguf_open(&got, out, &err) && gguf_open(&want, path, &err), "%s", err.text);
    check_keys(model, &got, &want);
    check_tensors(model, &got, &want);
    CHECK(!notes.data || !strstr(notes.data, "not used"), "%s", notes.data);
    gguf_close(&got);
    gguf_close(&want);
    buf_free(&notes);
}

TEST(shared_folders_become_the_files_of_the_usual_converters)
{
    static const char *const models[][2] = {
        { "baichuan-13b", "bf16" },
        { "baichuan-7b", "bf16" },
        { "bloom", "bf16" },
        { "chatglm2", "bf16" },
        { "chatglm3", "bf16" },
        { "cohere", "bf16" },
        { "deepseek-v2", "bf16" },
        { "deepseek-v3", "bf16" },
        { "falcon", "bf16" },
        { "gemma", "bf16" },
        { "gemma2", "bf16" },
        { "gemma3", "bf16" },
        { "glm-hf", "bf16" },
        { "glm4-0414", "bf16" },
        { "glm4-9b", "bf16" },
        { "gpt-bigcode", "bf16" },
        { "gpt-neox", "bf16" },
        { "gpt-oss", "mxfp4" },
        { "gpt2", "bf16" },
        { "granite", "bf16" },
        { "llama-bias", "bf16" },
        { "llama-gqa-tied", "bf16" },
        { "llama-linear", "bf16" },
        { "llama-mha", "f32" },
        { "llama3-ropescale", "bf16" },
        { "mistral-full", "bf16" },
        { "mixtral", "f32" },
        { "mpt", "bf16" },
        { "olmo", "bf16" },
        { "olmo2", "bf16" },
        { "phi2", "bf16" },
        { "phi3", "bf16" },
        { "phi3-longrope", "bf16" },
        { "qwen2", "bf16" },
        { "qwen2-moe", "bf16" },
        { "qwen2-yarn", "bf16" },
        { "qwen3", "bf16" },
        { "qwen3-moe", "bf16" },
        { "stablelm", "bf16" },
        { "starcoder2", "bf16" },
    };
    if (!test_shared("golden/qwen2/model.safetensors")) test_skip("no ../shared/golden");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        check_folder(models[i][0], models[i][1]);
}

/* ---- what nobody else converts: held against the reference logits -------------------------- */

typedef struct {
    const json *rows; /* position -> logits */
    double max_diff;
    int n_rows;
} logits_check;

static bool on_logits(void *user, size_t pos, const float *logits)
{
    logits_check *c = user;
    char key[24];
    snprintf(key, sizeof key, "%zu", pos);
    const json *row = json_get(c->rows, key);
    for (const json *j = row ? row->first : NULL; j; j = j->next, logits++)
        c->max_diff = fmax(c->max_diff, fabs(j->num - (double)*logits));
    c->n_rows += row != NULL;
    return true;
}

static void check_case(lory_model *m, const json *c, const char *name)
{
    lory_token ids[300];
    size_t n = 0;
    lory_err err = { 0 };
    logits_check check = { .rows = json_get(c, "logits_rows") };
    lory_session_params params = { .n_ctx = 300, .cache_type = LORY_CACHE_F32, .n_threads = 2 };
    for (const json *j = json_get(c, "tokens")->first; j && n < 300; j = j->next)
        ids[n++] = (lory_token)j->i;
    lory_session *s = lory_session_new(m, &params, &err);
    REQUIRE(s, "%s: %s", name, err.text);
    CHECK(lory_session_eval_all(s, ids, n, on_logits, &check, &err), "%s: %s", name, err.text);
    CHECK(check.n_rows > 0 && check.max_diff < 1e-4, "%s, %d tokens: %g", name, (int)n,
          check.max_diff);
    lory_session_free(s);
}

static void check_reference(const char *model)
{
    buf text = { 0 }, notes = { 0 };
    json_doc d;
    lory_err err = { 0 };
    char path[500], out[500];
    snprintf(path, sizeof path, "golden/%s", model);
    const char *folder = test_shared(path);
    REQUIRE(folder, "no %s", path);
    snprintf(out, sizeof out, "%s", test_temp("out.gguf"));
    convert_params p = { .out = out, .type = RETYPE_KEEP };
    REQUIRE(hf_convert(folder, &p, &notes, &err), "%s", err.text);
    snprintf(path, sizeof path, "%s/golden.json", folder);
    REQUIRE(file_read(path, 1u << 28, &text, &err), "%s", err.text);
    REQUIRE(json_read(&d, text.data, text.len, path, &err), "%s", err.text);
    lory_model *m = lory_model_open(out, &err);
    REQUIRE(m, "%s", err.text);
    for (const json *c = json_get(d.root, "cases")->first; c; c = c->next) check_case(m, c, model);
    lory_model_close(m);
    json_close(&d);
    buf_free(&text);
    buf_free(&notes);
}

TEST(folders_that_no_other_tool_converts_give_the_reference_logits)
{
    static const char *const models[] = { "chatglm1",   "falcon-rw", "gpt-j", "mistral-swa",
                                          "openai-gpt", "qwen2",     "gpt2" };
    if (!test_shared("golden/qwen2/model.safetensors")) test_skip("no ../shared/golden");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) check_reference(models[i]);
}
