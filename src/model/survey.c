/* survey.c - see survey.h. */
#include "model/survey.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/foreign.h"
#include "model/keys.h"
#include "model/model.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    const gguf *g;
    lory_on_finding on_finding;
    void *user;
} surveyor;

static void report(const surveyor *s, lory_finding_kind kind, gguf_str name, const char *text)
{
    s->on_finding(s->user, &(lory_finding){ kind, name.s, name.n, text });
}

static void report_err(const surveyor *s, lory_finding_kind kind, const lory_err *err)
{
    report(s, kind, (gguf_str){ "", 0 }, err->text);
}

static void survey_types(const surveyor *s)
{
    char text[48];
    for (size_t i = 0; i < s->g->n_tensors; i++) {
        const gguf_tensor *t = &s->g->tensors[i];
        const char *name = qtype_foreign_name(t->type_id);
        if (t->type != QT_COUNT) continue;
        snprintf(text, sizeof text, "number %u%s%s", (unsigned)t->type_id, name ? ", " : "",
                 name ? name : "");
        report(s, LORY_UNKNOWN_TYPE, t->name, text);
    }
}

static role_set every_role(void)
{
    role_set all = { { 0 } };
    for (int role = 0; role < W_COUNT; role++) role_add(&all, role);
    return all;
}

/* hp NULL: in a layer of any number, of any shape. */
static void survey_tensors(const surveyor *s, const hparams *hp, role_set wanted)
{
    for (size_t i = 0; i < s->g->n_tensors; i++)
        if (!roles_know(hp, wanted, &s->g->tensors[i]))
            report(s, LORY_UNKNOWN_TENSOR, s->g->tensors[i].name, "");
}

static void survey_tokenizer(const surveyor *s)
{
    tokenizer tok;
    lory_err err;
    if (!gguf_find(s->g, "tokenizer.ggml.model")) return;
    if (tokenizer_init(&tok, s->g, &err)) tokenizer_free(&tok);
    else report_err(s, LORY_UNKNOWN_TOKENIZER, &err);
}

static void survey_unknown_arch(const surveyor *s, gguf_str name)
{
    char arch[64] = "";
    if (name.n < sizeof arch) memcpy(arch, name.s, name.n);
    report(s, LORY_UNKNOWN_ARCH, name, foreign_why(s->g, arch));
    survey_tensors(s, NULL, every_role());
}

static bool survey_known_arch(const surveyor *s, const lory_arch *arch, lory_err *err)
{
    lory_err why;
    model *m = mem_new(1, sizeof *m); /* large: it has the numbers of every layer */
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for a model", gguf_path(s->g));
    m->file = *s->g; /* borrowed, like all it points to */
    m->arch = arch;
    if (!model_read_hparams(m, &why)) report_err(s, LORY_UNKNOWN_OTHER, &why);
    else survey_tensors(s, &m->hp, model_roles(m));
    size_t i = 0;
    for (const gguf_kv *kv; (kv = keys_next_unused(s->g, arch->name, &i)) != NULL;)
        report(s, LORY_UNUSED_KEY, kv->key, "");
    mem_free(m);
    return true;
}

bool survey(const gguf *g, lory_on_finding on_finding, void *user, lory_err *err)
{
    surveyor s = { g, on_finding, user };
    gguf_str name = { "", 0 };
    gguf_get_str(g, "general.architecture", &name, NULL);
    const lory_arch *arch = model_find_arch(name);
    survey_types(&s);
    survey_tokenizer(&s);
    if (g->n_tensors == 0 || model_is_adapter(g)) return true; /* the model tells what it lacks */
    if (arch) return survey_known_arch(&s, arch, err);
    survey_unknown_arch(&s, name);
    return true;
}
