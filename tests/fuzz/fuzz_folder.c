/* fuzz_folder.c - the files of a Hugging Face folder, of a model or of an adapter, for `lory
 * convert`: refused in one line and nothing is left, or a file that opens, be it to say in one line
 * why it does not run. */
#include "convert/hf_convert.h"
#include "convert/lora_convert.h"
#include "convert/peft.h"
#include "fuzz_files.h"

static const char *const names[] = { "config.json",
                                     "generation_config.json",
                                     "model.safetensors",
                                     "tokenizer.json",
                                     "tokenizer_config.json",
                                     "special_tokens_map.json",
                                     "added_tokens.json",
                                     "chat_template.jinja",
                                     "tokenizer.model",
                                     "vocab.json",
                                     "merges.txt",
                                     "qwen.tiktoken",
                                     "adapter_config.json",
                                     "adapter_model.safetensors",
                                     "out.gguf",
                                     NULL };

/* A folder whose numbers and tensors contradict each other makes a file that does not open. */
static void check_model(const char *path)
{
    lory_err err = { 0 };
    lory_model *m = lory_model_open(path, &err);
    MUST(m || fuzz_names(&err, path));
    lory_model_close(m);
}

static void check_adapter(const char *path)
{
    gguf g;
    lory_err err;
    MUST(gguf_open(&g, path, &err));
    gguf_close(&g);
}

int fuzz_folder(const uint8_t *data, size_t n)
{
    char out[FUZZ_PATH];
    buf notes = { 0 };
    lory_err err = { 0 };
    fuzz_files f = fuzz_files_open(names, data, n);
    convert_params p = { .out = fuzz_path(&f, "out.gguf", out), .type = RETYPE_KEEP };
    bool is_adapter = peft_is_adapter(f.path);
    unlink(out);
    bool ok =
        is_adapter ? lora_convert(f.path, f.path, &p, &err) : hf_convert(f.path, &p, &notes, &err);
    if (!ok)
        MUST(fuzz_is_line(&err) && !fuzz_has(&f, "out.gguf"));
    else if (is_adapter)
        check_adapter(out);
    else
        check_model(out);
    buf_free(&notes);
    fuzz_files_close(&f);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_folder)
#endif
