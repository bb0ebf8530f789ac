/* fuzz_request.c - any bytes as a line of `lory batch`: refused in one line, or prompts of tokens
 * that the model has, and a sampler. What is kept from line to line (grammars, tools) stays here
 * for one input, which is read as two lines. */
#include "cli/batch_read.h"
#include "cli/batch_tools.h"
#include "fuzz.h"

/* Shows tools and calls. */
static const char template[] =
    "{% for t in tools or [] %}{{ t | tojson }}\n{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls %}<tool_call>\n{\"name\": \"{{ c.function.name }}\", "
    "\"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/* The model stays from input to input. */
static const lory_model *open_defaults(batch_defaults *d)
{
    static lory_model *m;
    lory_err err;
    if (!m) m = lory_model_open("tests/vectors/parrot.gguf", &err);
    MUST(m);
    *d = (batch_defaults){ .m = m, .model_name = "parrot", .n_ctx = 1024 };
    d->tmpl = (lory_template){ .text = template, .n = sizeof template - 1 };
    lory_sampler_defaults(m, &d->sampler);
    return m;
}

static void check_request(const batch_request *r, const lory_model *m)
{
    lory_model_info info;
    lory_err err = { 0 };
    lory_model_get_info(m, &info);
    MUST(r->n >= 1 && r->n <= BATCH_MAX_CHOICES && r->n_prompt > 0);
    MUST(batch_n_choices(r) <= BATCH_MAX_ANSWERS);
    for (size_t i = 0; i < r->n_prompt; i++)
        for (size_t k = 0; k < r->prompt[i].n; k++)
            MUST(r->prompt[i].id[k] >= 0 && r->prompt[i].id[k] < info.n_vocab);
    lory_sampler *s = lory_sampler_new(m, &r->sampler, &err);
    MUST(s || fuzz_is_line(&err));
    lory_sampler_free(s);
}

int fuzz_request(const uint8_t *data, size_t n)
{
    batch_defaults d;
    batch_request r;
    kept grammars = batch_grammars(), toolsets = batch_toolsets();
    const lory_model *m = open_defaults(&d);
    d.grammars = &grammars;
    d.toolsets = &toolsets;
    for (uint64_t line = 1; line <= 2; line++) {
        lory_err err = { 0 };
        if (batch_read_line(&r, &d, line, (const char *)data, n, &err))
            check_request(&r, m);
        else
            MUST(fuzz_is_line(&err));
        batch_request_free(&r);
    }
    kept_free(&grammars);
    kept_free(&toolsets);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_request)
#endif
