/* json_parts.c - see json_parts.h. A part that is known is a row of a table. */
#include "convert/json_parts.h"
#include "base/err.h"

#define MARK  "\xe2\x96\x81" /* U+2581, SentencePiece's blank */
#define START "(?<!\\n)^"     /* an expression for where a text begins, but no later line */

/* ---- parts of parts -------------------------------------------------------------------------- */

/* The list of what `j` consists of, or NULL. */
static const json *list_of(const json *j)
{
    static const char *const names[] = { "pretokenizers", "normalizers", "decoders", "processors" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json *list = json_get(j, names[i]);
        if (list && list->type == JSON_ARRAY) return list;
    }
    return NULL;
}

bool parts_each(const json *j, part_fn f, void *user)
{
    const json *list = list_of(j);
    if (!j || j->type == JSON_NULL) return true;
    if (!list) return f(user, j);
    for (const json *p = list->first; p; p = p->next)
        if (!parts_each(p, f, user)) return false;
    return true;
}

typedef struct {
    const char *type;
    const json *found;
} wanted_part;

static bool is_other(void *user, const json *part)
{
    wanted_part *w = user;
    if (json_str_is(json_get(part, "type"), w->type)) w->found = part;
    return !w->found;
}

const json *part_of_type(const json *j, const char *type)
{
    wanted_part w = { type, NULL };
    parts_each(j, is_other, &w);
    return w.found;
}

/* ---- which are known ------------------------------------------------------------------------- */

static bool is_false(const json *part, const char *key)
{
    const json *j = json_get(part, key);
    return j && j->type == JSON_FALSE;
}

/* A blank becomes the mark, like others. */
static bool prepends_mark(const json *part)
{
    const json *j = json_get(part, "prepend");
    return json_str_is(j, MARK) || json_str_is(j, " ");
}

static bool is_blank(const json *pattern)
{
    return json_str_is(json_get(pattern, "String"), " ")
           || json_str_is(json_get(pattern, "Regex"), " ");
}

/* Whether the mark is put for what the expression finds. */
static bool marks_regex(const json *part, const char *regex)
{
    return json_str_is(json_get(part, "content"), MARK)
           && json_str_is(json_get(json_get(part, "pattern"), "Regex"), regex);
}

static bool marks_blanks(const json *part)
{
    return (is_blank(json_get(part, "pattern")) && json_str_is(json_get(part, "content"), MARK))
           || marks_regex(part, START "| ");
}

/* As "Prepend" does. */
static bool marks_start(const json *part)
{
    return marks_regex(part, START) || marks_regex(part, START "| ");
}

/* Of several blanks one is left, as a blank or as the mark it will be. */
static bool joins_blanks(const json *part)
{
    const json *to = json_get(part, "content");
    return json_str_is(json_get(json_get(part, "pattern"), "Regex"), " {2,}")
           && (json_str_is(to, " ") || json_str_is(to, MARK));
}

static bool does_all_of_bert(const json *part)
{
    return !is_false(part, "clean_text") && !is_false(part, "handle_chinese_chars")
           && !is_false(part, "strip_accents") && !is_false(part, "lowercase");
}

static bool has_mark(const json *part)
{
    const json *j = json_get(part, "replacement");
    return !j || json_str_is(j, MARK);
}

static bool splits_at_blanks(const json *part)
{
    return is_blank(json_get(part, "pattern"));
}

static bool splits_lines(const json *part)
{
    return json_str_is(json_get(json_get(part, "pattern"), "String"), "\n")
           && json_str_is(json_get(part, "behavior"), "Contiguous");
}

typedef struct {
    const char *type;
    unsigned kinds;                   /* parts_kind of models that it is known for */
    bool (*is_known)(const json *part); /* NULL: however it is set */
} part_row;

static const part_row normalizers[] = {
    { "NFC", PARTS_BYTES, NULL },
    { "Prepend", PARTS_SP | PARTS_UNIGRAM, prepends_mark },
    { "Replace", PARTS_SP | PARTS_UNIGRAM, marks_blanks },
    { "Replace", PARTS_UNIGRAM, marks_start },
    { "Replace", PARTS_UNIGRAM, joins_blanks },
    { "Precompiled", PARTS_UNIGRAM, NULL },
    { "Strip", PARTS_UNIGRAM, NULL }, /* where blanks are joined those at the ends go too */
    { "BertNormalizer", PARTS_GPT1, does_all_of_bert },
    { 0 },
};

static const part_row pre_tokenizers[] = {
    { "Metaspace", PARTS_SP | PARTS_UNIGRAM, has_mark },
    { "WhitespaceSplit", PARTS_UNIGRAM, NULL },
    { "Split", PARTS_SP, splits_at_blanks }, /* a normaliser has left none */
    { "Split", PARTS_UNIGRAM, splits_lines },
    { "BertPreTokenizer", PARTS_GPT1, NULL },
    { 0 },
};

typedef struct {
    const part_row *rows;
    parts_kind kind;
    const json *unknown;
} part_check;

static bool is_known(void *user, const json *part)
{
    part_check *c = user;
    for (const part_row *r = c->rows; r->type; r++)
        if (r->kinds & c->kind && json_str_is(json_get(part, "type"), r->type)
            && (!r->is_known || r->is_known(part)))
            return true;
    c->unknown = part;
    return false;
}

static bool check(const json *root, const char *name, const part_row *rows, parts_kind kind,
                  const char *path, lory_err *err)
{
    part_check c = { rows, kind, NULL };
    if (parts_each(json_get(root, name), is_known, &c)) return true;
    const json *type = json_get(c.unknown, "type");
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: the %s '%.64s' is not known for a model of this kind as it is set there",
                   path, name, type && type->type == JSON_STRING ? type->str : "of no type");
}

typedef struct {
    bool (*fits)(const json *part);
} part_test;

static bool fits_not(void *user, const json *part)
{
    return !((const part_test *)user)->fits(part);
}

static bool has_normalizer(const json *root, bool (*fits)(const json *part))
{
    return !parts_each(json_get(root, "normalizer"), fits_not, &(part_test){ fits });
}

bool parts_split_lines(const json *root)
{
    return !parts_each(json_get(root, "pre_tokenizer"), fits_not, &(part_test){ splits_lines });
}

static bool joins(const json *root)
{
    return part_of_type(json_get(root, "pre_tokenizer"), "WhitespaceSplit")
           || has_normalizer(root, joins_blanks);
}

bool parts_check_normalizer(const json *root, parts_kind kind, const char *path, lory_err *err)
{
    if (!check(root, "normalizer", normalizers, kind, path, err)) return false;
    if (!part_of_type(json_get(root, "normalizer"), "Strip") || joins(root)) return true;
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: the normalizer 'Strip' is not known where blanks are not joined", path);
}

bool parts_check_pre(const json *root, parts_kind kind, const char *path, lory_err *err)
{
    if (!check(root, "pre_tokenizer", pre_tokenizers, kind, path, err)) return false;
    if (kind != PARTS_GPT1)
        return part_of_type(json_get(root, "pre_tokenizer"), "Metaspace")
               || has_normalizer(root, marks_blanks)
               || err_set(err, LORY_E_UNSUPPORTED,
                          "%s: no 'Replace' and no 'Metaspace' turns blanks into U+2581", path);
    return (part_of_type(json_get(root, "normalizer"), "BertNormalizer")
            && part_of_type(json_get(root, "pre_tokenizer"), "BertPreTokenizer"))
           || err_set(err, LORY_E_UNSUPPORTED,
                      "%s: words that end with '</w>' are known only as GPT-1 makes them, by "
                      "'BertNormalizer' and 'BertPreTokenizer'",
                      path);
}

/* ---- blanks ---------------------------------------------------------------------------------- */

void parts_read_blanks(hf_vocab *v, const json *root, parts_kind kind)
{
    const json *meta = part_of_type(json_get(root, "pre_tokenizer"), "Metaspace");
    bool has_prefix = meta != NULL;
    json_get_bool(json_get(meta, "add_prefix_space"), &has_prefix);
    if (json_str_is(json_get(meta, "prepend_scheme"), "never")) has_prefix = false;
    v->add_space_prefix = has_prefix || has_normalizer(root, prepends_mark)
                          || has_normalizer(root, marks_start);
    if (kind == PARTS_UNIGRAM) v->remove_extra_whitespaces = joins(root);
}

/* ---- around a text --------------------------------------------------------------------------- */

static void put_around(hf_around *a, int64_t id)
{
    if (a->n++ == 0) a->id = id;
}

/* {"SpecialToken": {"id": "<s>"}}; its ids are named apart. */
static void put_special(hf_around *a, const json *token, const json *specials)
{
    gguf_str name = { "", 0 };
    int64_t id = HF_UNSAID;
    json_get_str(json_get(token, "id"), &name.s, &name.n);
    const json *ids = json_get(json_get(specials, name.s), "ids");
    if (!ids || ids->type != JSON_ARRAY) {
        put_around(a, HF_UNSAID);
        return;
    }
    for (const json *j = ids->first; j; j = j->next)
        if (json_get_int(j, &id)) put_around(a, id);
}

/* ["</s>", 2] */
static void put_pair(hf_around *a, const json *pair)
{
    int64_t id = HF_UNSAID;
    if (!pair || pair->type != JSON_ARRAY || pair->n != 2) return;
    json_get_int(pair->first->next, &id);
    put_around(a, id);
}

static bool read_processor(void *user, const json *part)
{
    hf_vocab *v = user;
    const json *type = json_get(part, "type"), *list = json_get(part, "single");
    hf_around *a = &v->before;
    if (json_str_is(type, "RobertaProcessing") || json_str_is(type, "BertProcessing")) {
        put_pair(&v->before, json_get(part, "cls"));
        put_pair(&v->behind, json_get(part, "sep"));
        v->has_around = true;
    }
    if (!json_str_is(type, "TemplateProcessing") || !list || list->type != JSON_ARRAY) return true;
    v->has_around = true;
    for (const json *j = list->first; j; j = j->next) {
        const json *token = json_get(j, "SpecialToken");
        if (token) put_special(a, token, json_get(part, "special_tokens"));
        else a = &v->behind;
    }
    return true;
}

void parts_read_around(hf_vocab *v, const json *root)
{
    parts_each(json_get(root, "post_processor"), read_processor, v);
}
