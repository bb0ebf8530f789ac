/* vocab_forms.h - the forms that a vocabulary has in a Hugging Face folder: a file each.
 * Layer: convert. */
#ifndef LORY_CONVERT_VOCAB_FORMS_H
#define LORY_CONVERT_VOCAB_FORMS_H

#include "convert/folder.h"
#include "convert/vocab_tokens.h"

/* `config`: the root of tokenizer_config.json, or NULL. */
bool read_tokenizer_json(hf_vocab *v, const json *root, const json *config, const char *path,
                         const char *arch, lory_err *err);
bool read_sentencepiece(hf_vocab *v, const buf *bytes, const char *path, lory_err *err);
bool read_bpe_files(hf_vocab *v, const hf_folder *f, const char *arch, lory_err *err);
bool read_tiktoken(hf_vocab *v, const buf *bytes, const char *path, const char *arch,
                   lory_err *err);
/* A line for each token: tokenizer.jsonl, rwkv_vocab_v20230424.txt. */
bool read_plamo_lines(hf_vocab *v, const buf *bytes, const char *path, lory_err *err);
bool read_rwkv_lines(hf_vocab *v, const buf *lines, const char *path, lory_err *err);
/* Appends what the text means to *out (NULL: looks only). False: it is no base64, or no memory. */
bool base64_decode(const char *s, size_t n, buf *out);
bool is_tiktoken(const buf *bytes);

/* The name of tokenizer.ggml.pre whose rule is that of a tokenizer.json; NULL with *err set,
 * naming what is not known. */
const char *pre_name(const json *root, const char *path, lory_err *err);

#endif
