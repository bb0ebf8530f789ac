/* folder.h - the files of a Hugging Face model folder: config.json and its like, and the tensors of
 * one or many safetensors files.
 * Layer: convert. Immutable once open. */
#ifndef LORY_CONVERT_FOLDER_H
#define LORY_CONVERT_FOLDER_H

#include "gguf/safetensors.h"

typedef struct {
    gguf_str name; /* first: see name_table.h */
    const st_tensor *t;
    bool is_used; /* something of the output is made of it */
} hf_tensor;

typedef struct {
    char *path;
    json_doc config, generation, tok_config; /* config.json, generation_config.json and
                              tokenizer_config.json; root NULL where there is none */
    safetensors *shards;                     /* [n_shards] */
    size_t n_shards;
    hf_tensor *tensors; /* [n_tensors] of all shards, sorted by name */
    size_t n_tensors;
} hf_folder;

/* config.json and the weights must be there. On failure *f is closed. */
bool folder_open(hf_folder *f, const char *path, lory_err *err);
void folder_close(hf_folder *f);

/* "FOLDER/name"; NULL when memory can't be had. Free with mem_free. */
char *folder_file(const hf_folder *f, const char *name);
/* What is there and can't be read is an error of who reads it, never left out. */
bool folder_has(const hf_folder *f, const char *name);
/* The file as a tree; d->root stays NULL when there is no such file, which is no error. */
bool folder_json(const hf_folder *f, const char *name, json_doc *d, lory_err *err);
/* The file's bytes, which must be there. */
bool folder_text(const hf_folder *f, const char *name, buf *text, lory_err *err);

/* The last part of a folder's path. */
gguf_str folder_name(const char *path);

/* The data of a tensor will hardly be read again. */
void folder_forget(const hf_folder *f, const st_tensor *t);

hf_tensor *folder_find(const hf_folder *f, const char *name, size_t n); /* NULL when absent */

#endif
