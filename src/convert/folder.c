/* folder.c - see folder.h. */
#include "convert/folder.h"
#include "base/err.h"
#include "base/mem.h"
#include "gguf/sniff.h"
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TEXT_BYTES = 256 << 20, /* tokenizer.json of large vocabularies: 35 MB */
    MAX_PATH = 4096 + 256,      /* no system opens longer ones */
};

static const char weights_file[] = "model.safetensors";
static const char index_file[] = "model.safetensors.index.json";

/* ---- files ------------------------------------------------------------------------------- */

/* "FOLDER/name" into out; false when it is longer than any path can be. */
static bool join(const hf_folder *f, const char *name, char out[MAX_PATH])
{
    size_t n = strlen(f->path), m = strlen(name);
    while (n > 1 && f->path[n - 1] == '/') n--;
    if (n + m + 2 > MAX_PATH) return false;
    memcpy(out, f->path, n);
    out[n] = '/';
    memcpy(out + n + 1, name, m + 1);
    return true;
}

static bool no_memory(const hf_folder *f, lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "%s: out of memory", f->path);
}

char *folder_file(const hf_folder *f, const char *name)
{
    char path[MAX_PATH];
    if (!join(f, name, path)) return NULL;
    char *copy = mem_new(strlen(path) + 1, 1);
    if (copy) strcpy(copy, path);
    return copy;
}

bool folder_has(const hf_folder *f, const char *name)
{
    char path[MAX_PATH];
    return join(f, name, path) && file_is_named(path);
}

bool folder_text(const hf_folder *f, const char *name, buf *text, lory_err *err)
{
    char *path = folder_file(f, name);
    bool ok = path ? file_read(path, MAX_TEXT_BYTES, text, err) : no_memory(f, err);
    mem_free(path);
    return ok;
}

/* What Python writes for a number without bound, which JSON has not: a null in its place. */
static void replace_infinities(char *text, size_t n)
{
    static const char word[] = "Infinity", other[] = "null    ";
    bool is_string = false;
    for (size_t i = 0; i + sizeof word <= n; i++) {
        if (is_string && text[i] == '\\') i++;
        else if (text[i] == '"') is_string = !is_string;
        else if (!is_string && memcmp(text + i, word, sizeof word - 1) == 0) {
            memcpy(text + i, other, sizeof other - 1);
            if (i > 0 && text[i - 1] == '-') text[i - 1] = ' ';
        }
    }
}

/* A file that does not even begin like JSON may be known, as what git-lfs leaves is. */
static bool read_json(const char *path, const buf *text, json_doc *d, lory_err *err)
{
    const char *s = text->data ? text->data : "";
    if (json_read(d, s, text->len, path, err)) return true;
    if (err->code != LORY_E_FORMAT || strchr("{[ \t\r\n", *s)) return false;
    const char *what = sniff_format((const unsigned char *)s, text->len);
    return what && err_set(err, LORY_E_FORMAT, "%s: is %s", path, what);
}

bool folder_json(const hf_folder *f, const char *name, json_doc *d, lory_err *err)
{
    buf text = { 0 };
    *d = (json_doc){ 0 };
    if (!folder_has(f, name)) return true;
    char *path = folder_file(f, name);
    bool ok = path ? folder_text(f, name, &text, err) : no_memory(f, err);
    if (ok && text.data) replace_infinities(text.data, text.len);
    ok = ok && read_json(path, &text, d, err);
    if (ok && d->root->type != JSON_OBJECT)
        ok = err_set(err, LORY_E_FORMAT, "%s: is no JSON object", path);
    if (!ok) json_close(d);
    buf_free(&text);
    mem_free(path);
    return ok;
}

/* ---- weights ----------------------------------------------------------------------------- */

/* A shard is a file of the folder itself. */
static bool is_plain_name(const json *j)
{
    return j->type == JSON_STRING && j->n > 0 && strlen(j->str) == j->n && !strchr(j->str, '/')
           && !strchr(j->str, '\\') && strcmp(j->str, "..") != 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool open_shard(hf_folder *f, const char *name, lory_err *err)
{
    if (!folder_has(f, name))
        return err_set(err, LORY_E_IO, "%s: has no file %s, which %s names", f->path, name,
                       index_file);
    char *path = folder_file(f, name);
    bool ok = path ? safetensors_open(&f->shards[f->n_shards], path, err) : no_memory(f, err);
    mem_free(path);
    f->n_shards += ok;
    return ok;
}

/* Opens each of the n names once. */
static bool open_shards(hf_folder *f, const char **names, size_t n, lory_err *err)
{
    qsort(names, n, sizeof *names, by_text);
    f->shards = mem_new(n, sizeof *f->shards);
    if (!f->shards) return no_memory(f, err);
    for (size_t i = 0; i < n; i++)
        if ((i == 0 || strcmp(names[i], names[i - 1]) != 0) && !open_shard(f, names[i], err))
            return false;
    return true;
}

static bool open_indexed(hf_folder *f, const json *map, lory_err *err)
{
    size_t n = 0;
    if (!map || map->type != JSON_OBJECT || map->n == 0)
        return err_set(err, LORY_E_FORMAT, "%s/%s: has no \"weight_map\"", f->path, index_file);
    const char **names = mem_new(map->n, sizeof *names);
    if (!names) return no_memory(f, err);
    bool ok = true;
    for (const json *j = map->first; ok && j; j = j->next) {
        ok = is_plain_name(j);
        if (!ok)
            err_set(err, LORY_E_FORMAT, "%s/%s: tensor '%.96s' is in no file of the folder",
                    f->path, index_file, j->key);
        names[n++] = j->str;
    }
    ok = ok && open_shards(f, names, n, err);
    mem_free(names);
    return ok;
}

static bool open_single(hf_folder *f, lory_err *err)
{
    const char *name = weights_file;
    if (folder_has(f, name)) return open_shards(f, &name, 1, err);
    if (folder_has(f, "pytorch_model.bin") || folder_has(f, "pytorch_model.bin.index.json"))
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: has PyTorch weights only (pytorch_model.bin); lory reads safetensors",
                       f->path);
    return err_set(err, LORY_E_IO, "%s: has no %s and no %s", f->path, weights_file, index_file);
}

static int by_name(const void *a_, const void *b_)
{
    const hf_tensor *a = a_, *b = b_;
    size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
    int c = memcmp(a->name.s, b->name.s, n);
    return c ? c : a->name.n < b->name.n ? -1 : a->name.n > b->name.n;
}

/* One list of the tensors of all shards. */
static bool list_tensors(hf_folder *f, lory_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_shards; i++) n += f->shards[i].n_tensors;
    f->tensors = mem_new(n, sizeof *f->tensors);
    if (!f->tensors) return no_memory(f, err);
    for (size_t i = 0; i < f->n_shards; i++)
        for (size_t k = 0; k < f->shards[i].n_tensors; k++) {
            const st_tensor *t = &f->shards[i].tensors[k];
            f->tensors[f->n_tensors++] = (hf_tensor){ t->name, t, false };
        }
    qsort(f->tensors, n, sizeof *f->tensors, by_name);
    for (size_t i = 0; i < n; i++)
        if (memchr(f->tensors[i].name.s, 0, f->tensors[i].name.n))
            return err_set(err, LORY_E_FORMAT, "%s: tensor '%.96s' has a zero byte in its name",
                           f->path, f->tensors[i].name.s);
    for (size_t i = 1; i < n; i++)
        if (by_name(&f->tensors[i - 1], &f->tensors[i]) == 0)
            return err_set(err, LORY_E_FORMAT, "%s: tensor '%.96s' is in two files", f->path,
                           f->tensors[i].name.s);
    return true;
}

static const safetensors *shard_of(const hf_folder *f, const st_tensor *t)
{
    for (size_t i = 0; i < f->n_shards; i++)
        if (t >= f->shards[i].tensors && t < f->shards[i].tensors + f->shards[i].n_tensors)
            return &f->shards[i];
    return NULL;
}

void folder_forget(const hf_folder *f, const st_tensor *t)
{
    const safetensors *s = shard_of(f, t);
    if (s) file_map_forget(&s->map, t->data, t->n_bytes);
}

/* Every tensor is in the shard where the index says, and the index says all of them. */
static bool check_index(const hf_folder *f, const json *map, lory_err *err)
{
    for (const json *j = map->first; j; j = j->next) {
        const hf_tensor *t = folder_find(f, j->key, j->n_key);
        const char *path = t ? shard_of(f, t->t)->map.path : "", *slash = strrchr(path, '/');
        if (!t || strcmp(slash ? slash + 1 : path, j->str) != 0)
            return err_set(err, LORY_E_FORMAT, "%s/%s: says that tensor '%.96s' is in %s (%s)",
                           f->path, index_file, j->key, j->str, t ? path : "it is nowhere");
    }
    if (map->n == f->n_tensors) return true;
    return err_set(err, LORY_E_FORMAT, "%s/%s: has %zu tensors, the files have %zu", f->path,
                   index_file, map->n, f->n_tensors);
}

static bool open_weights(hf_folder *f, lory_err *err)
{
    json_doc index;
    if (!folder_json(f, index_file, &index, err)) return false;
    const json *map = index.root ? json_get(index.root, "weight_map") : NULL;
    bool ok = index.root ? open_indexed(f, map, err) : open_single(f, err);
    ok = ok && list_tensors(f, err) && (!index.root || check_index(f, map, err));
    json_close(&index);
    return ok;
}

hf_tensor *folder_find(const hf_folder *f, const char *name, size_t n)
{
    hf_tensor key = { .name = { name, n } };
    if (f->n_tensors == 0) return NULL;
    return bsearch(&key, f->tensors, f->n_tensors, sizeof key, by_name);
}

gguf_str folder_name(const char *path)
{
    size_t n = strlen(path), at;
    while (n > 1 && path[n - 1] == '/') n--;
    for (at = n; at > 0 && path[at - 1] != '/'; at--)
        ;
    return (gguf_str){ path + at, n - at };
}

/* ---- open and close ---------------------------------------------------------------------- */

bool folder_open(hf_folder *f, const char *path, lory_err *err)
{
    size_t n = strlen(path) + 1;
    *f = (hf_folder){ .path = mem_new(n, 1) };
    if (!f->path) return err_set(err, LORY_E_MEMORY, "%s: out of memory", path);
    memcpy(f->path, path, n);
    bool ok = folder_json(f, "config.json", &f->config, err);
    if (ok && !f->config.root)
        ok = err_set(err, LORY_E_IO, "%s: has no config.json, as a Hugging Face model folder has",
                     path);
    ok = ok && folder_json(f, "generation_config.json", &f->generation, err)
         && folder_json(f, "tokenizer_config.json", &f->tok_config, err) && open_weights(f, err);
    if (!ok) folder_close(f);
    return ok;
}

void folder_close(hf_folder *f)
{
    for (size_t i = 0; i < f->n_shards; i++) safetensors_close(&f->shards[i]);
    mem_free(f->shards);
    mem_free(f->tensors);
    json_close(&f->config);
    json_close(&f->generation);
    json_close(&f->tok_config);
    mem_free(f->path);
    *f = (hf_folder){ 0 };
}
