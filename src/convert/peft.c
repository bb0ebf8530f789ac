/* peft.c - see peft.h. Source of the settings: LoraConfig of the peft library. */
#include "convert/peft.h"
#include "base/err.h"
#include "base/file.h"
#include "convert/config.h"
#include <math.h>
#include <string.h>

static const char config_file[] = "adapter_config.json";

bool peft_is_adapter(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, config_file);
    return file_exists(path);
}

/* ---- settings ------------------------------------------------------------------------------ */

/* Settings that would change the maths, and what they are where they don't. */
typedef enum { FALSE_OR_NONE, EMPTY_OR_NONE, WORD, FLAG_OR_WORD } neutral;
static const struct {
    const char *name;
    neutral is;
    const char *words; /* WORD, FLAG_OR_WORD */
    const char *what;  /* for people */
} settings[] = {
    { "peft_type", WORD, "LORA", "adapters other than LoRA are" },
    { "use_dora", FALSE_OR_NONE, NULL, "DoRA is" },
    { "lora_bias", FALSE_OR_NONE, NULL, "a bias of B is" },
    { "use_qalora", FALSE_OR_NONE, NULL, "QALoRA is" },
    { "bias", WORD, "none", "trained biases are" },
    { "modules_to_save", EMPTY_OR_NONE, NULL, "modules trained as a whole are" },
    { "trainable_token_indices", EMPTY_OR_NONE, NULL, "tokens trained as a whole are" },
    { "target_parameters", EMPTY_OR_NONE, NULL, "parameters that are no module are" },
    { "init_lora_weights", FLAG_OR_WORD, "gaussian eva orthogonal", /* others change the base */
      "adapters to what is left of a base are" },
    { "layer_replication", EMPTY_OR_NONE, NULL, "replicated layers are" },
    { "alora_invocation_tokens", EMPTY_OR_NONE, NULL, "activated LoRA is" },
};

static bool is_neutral(const json *j, neutral n, const char *words)
{
    bool v = true;
    if (!j || j->type == JSON_NULL) return true;
    if (n == FLAG_OR_WORD && json_get_bool(j, &v)) return true;
    if (words) return j->type == JSON_STRING && config_has_word(words, j->str);
    if (n == EMPTY_OR_NONE) return (j->type == JSON_ARRAY || j->type == JSON_OBJECT) && j->n == 0;
    return json_get_bool(j, &v) && !v;
}

/* The first word of a value, to name it: of "lora_only", ["lm_head", ..], {"lm_head": ..}. */
static const char *first_word(const json *j)
{
    bool is_list = j->type == JSON_ARRAY || j->type == JSON_OBJECT;
    if (is_list) j = j->first;
    if (j->type == JSON_STRING) return j->str;
    return is_list && j->key ? j->key : "";
}

static bool check_settings(const json *root, const char *folder, lory_err *err)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const json *j = json_get(root, settings[i].name);
        if (is_neutral(j, settings[i].is, settings[i].words)) continue;
        const char *word = first_word(j);
        return err_set(err, LORY_E_UNSUPPORTED, "%s/%s: \"%s\"%s%.64s%s: %s not known", folder,
                       config_file, settings[i].name, *word ? " '" : "", word, *word ? "'" : "",
                       settings[i].what);
    }
    return true;
}

/* A name, perhaps with '^' in front; other regular expressions are not read. */
static bool check_patterns(const json *patterns, const char *folder, lory_err *err)
{
    for (const json *j = patterns ? patterns->first : NULL; j; j = j->next) {
        double v;
        if (!json_get_num(j, &v) || !(v > 0))
            return err_set(err, LORY_E_FORMAT,
                           "%s/%s: \"alpha_pattern\" '%.64s' is no number above 0", folder,
                           config_file, j->key);
        if (strpbrk(j->key + (j->key[0] == '^'), "^$*+?()[]{}|\\"))
            return err_set(err, LORY_E_UNSUPPORTED,
                           "%s/%s: \"alpha_pattern\" '%.64s': regular expressions are not known",
                           folder, config_file, j->key);
    }
    return true;
}

static bool read_settings(peft_config *p, const char *folder, lory_err *err)
{
    const json *root = p->doc.root, *alphas = json_get(root, "alpha_pattern");
    const json *base = json_get(root, "base_model_name_or_path");
    if (root->type != JSON_OBJECT)
        return err_set(err, LORY_E_FORMAT, "%s/%s: is no JSON object", folder, config_file);
    if (!check_settings(root, folder, err)) return false;
    if (!json_get_num(json_get(root, "lora_alpha"), &p->alpha) || !(p->alpha > 0)
        || !json_get_int(json_get(root, "r"), &p->rank) || p->rank < 1)
        return err_set(err, LORY_E_FORMAT, "%s/%s: has no \"r\" and \"lora_alpha\" above 0", folder,
                       config_file);
    json_get_bool(json_get(root, "use_rslora"), &p->by_root);
    if (alphas && alphas->type == JSON_OBJECT) p->alphas = alphas;
    p->base = base && base->type == JSON_STRING ? base->str : "";
    return check_patterns(p->alphas, folder, err);
}

bool peft_open(peft_config *p, const char *folder, lory_err *err)
{
    buf text = { 0 };
    char path[4096];
    *p = (peft_config){ 0 };
    snprintf(path, sizeof path, "%s/%s", folder, config_file);
    bool ok = file_read(path, 16u << 20, &text, err)
              && json_read(&p->doc, text.data ? text.data : "", text.len, path, err)
              && read_settings(p, folder, err);
    buf_free(&text);
    if (!ok) peft_close(p);
    return ok;
}

void peft_close(peft_config *p)
{
    json_close(&p->doc);
    *p = (peft_config){ 0 };
}

/* ---- scales -------------------------------------------------------------------------------- */

/* A key counts for the module of that name and for those whose last parts it is. */
static bool is_of(const char *key, const char *module)
{
    size_t n = strlen(key), n_module = strlen(module);
    if (key[0] == '^') return strcmp(key + 1, module) == 0;
    if (n > n_module || strcmp(module + n_module - n, key) != 0) return false;
    return n == n_module || module[n_module - n - 1] == '.';
}

double peft_scale(const peft_config *p, const char *module, int64_t rank)
{
    double alpha = p->alpha;
    for (const json *j = p->alphas ? p->alphas->first : NULL; j; j = j->next)
        if (is_of(j->key, module)) {
            json_get_num(j, &alpha);
            break;
        }
    return alpha / (p->by_root ? sqrt((double)rank) : (double)rank);
}
