/* fuzz_convert.c - a GGUF file or a llama2.c checkpoint, as `lory convert` and `lory quantize` take
 * them, with an importance matrix and a tokenizer.bin: refused in one line and nothing is left, or
 * a file that opens. "type" names a type or a mix. */
#include "fuzz_files.h"
#include "gguf/convert.h"

static const char *const names[] = { "model.gguf", "model.bin", "tokenizer.bin", "imatrix", "type",
                                     "out.gguf",   NULL };

/* What the file "type" says; neither: types stay as they are. */
static void read_type(const fuzz_files *f, mix_params *mix, convert_params *p)
{
    char path[FUZZ_PATH], word[16] = "";
    FILE *in = fopen(fuzz_path(f, "type", path), "rb");
    if (!in) return;
    if (fscanf(in, "%15s", word) != 1) word[0] = 0;
    fclose(in);
    mix->mix = mix_find(word);
    mix->has_importance = p->importance != NULL;
    if (mix->mix && !fuzz_has(f, "model.bin")) /* mixes are for GGUF files */
        p->mix = mix;
    else if (qtype_from_name(word) != QT_COUNT)
        p->type = qtype_from_name(word);
}

static void check_written(const char *path)
{
    gguf g;
    lory_err err;
    MUST(gguf_open(&g, path, &err));
    gguf_close(&g);
}

int fuzz_convert(const uint8_t *data, size_t n)
{
    char path[FUZZ_PATH], out[FUZZ_PATH];
    lory_err err = { 0 };
    imatrix importance = { 0 };
    mix_params mix = { 0 };
    fuzz_files f = fuzz_files_open(names, data, n);
    convert_params p = { .out = fuzz_path(&f, "out.gguf", out), .type = RETYPE_KEEP };
    if (imatrix_read(&importance, fuzz_path(&f, "imatrix", path), &err))
        p.importance = &importance;
    unlink(out);
    read_type(&f, &mix, &p);
    fuzz_path(&f, fuzz_has(&f, "model.bin") ? "model.bin" : "model.gguf", path);
    if (convert_file(path, &p, &err))
        check_written(out);
    else
        MUST(fuzz_is_line(&err) && !fuzz_has(&f, "out.gguf"));
    imatrix_free(&importance);
    fuzz_files_close(&f);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_convert)
#endif
