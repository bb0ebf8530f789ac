/* logits_file.c - see logits_file.h. */
#include "cli/logits_file.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include <inttypes.h>
#include <string.h>

enum { HEADER_BYTES = 64, VERSION = 1 };
static const char magic[8] = { 'L', 'O', 'R', 'Y', 'L', 'G', 'T', 'S' };

uint64_t logits_hash_ids(const lory_token *id, size_t n)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++)
        for (int shift = 0; shift < 32; shift += 8)
            h = (h ^ ((uint32_t)id[i] >> shift & 0xff)) * 0x100000001b3;
    return h;
}

bool logits_file_create(file_new *f, const char *path, const logits_shape *shape, lory_err *err)
{
    unsigned char header[HEADER_BYTES] = { 0 };
    memcpy(header, magic, sizeof magic);
    bytes_put_u32(header + 8, VERSION);
    bytes_put_u32(header + 12, shape->n_vocab);
    bytes_put_u64(header + 16, shape->n_rows);
    bytes_put_u32(header + 24, shape->window);
    bytes_put_u32(header + 28, shape->all_tokens);
    bytes_put_u64(header + 32, shape->ids_hash);
    if (!file_create(f, path, err)) return false;
    if (file_write(f, header, sizeof header, err)) return true;
    file_abandon(f);
    return false;
}

bool logits_file_put(file_new *f, const float *logits, int n_vocab, lory_err *err)
{
    unsigned char bytes[4096];
    size_t n = 0;
    for (int i = 0; i < n_vocab; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        bytes_put_u32(bytes + n, bits);
        n += 4;
        if (n < sizeof bytes && i + 1 < n_vocab) continue;
        if (!file_write(f, bytes, n, err)) return false;
        n = 0;
    }
    return true;
}

/* That the header is one of ours and the file has as many bytes as it says. */
static bool check_format(const file_map *f, lory_err *err)
{
    const unsigned char *h = f->data;
    size_t n_bytes;
    if (f->size < HEADER_BYTES || memcmp(h, magic, sizeof magic) != 0)
        return err_set(err, LORY_E_FORMAT, "%s: is no file of saved logits", f->path);
    if (bytes_u32(h + 8) != VERSION)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: saved logits of version %" PRIu32 " (expected %d)", f->path,
                       bytes_u32(h + 8), VERSION);
    uint64_t n_rows = bytes_u64(h + 16);
    if (n_rows > SIZE_MAX || !mem_mul((size_t)n_rows, bytes_u32(h + 12), &n_bytes)
        || !mem_mul(n_bytes, 4, &n_bytes) || !mem_add(n_bytes, HEADER_BYTES, &n_bytes)
        || n_bytes != f->size)
        return err_set(err, LORY_E_FORMAT,
                       "%s: does not have the bytes of %" PRIu64 " rows of %" PRIu32
                       " logits (found %zu)",
                       f->path, n_rows, bytes_u32(h + 12), f->size);
    return true;
}

/* That it is of the same text, cut the same way, over the same vocabulary. */
static bool check_shape(const file_map *f, const logits_shape *want, lory_err *err)
{
    const unsigned char *h = f->data;
    if (bytes_u32(h + 12) != want->n_vocab)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: was saved with another vocabulary (found %" PRIu32
                       " tokens, expected %" PRIu32 ")",
                       f->path, bytes_u32(h + 12), want->n_vocab);
    if (bytes_u32(h + 24) != want->window || bytes_u32(h + 28) != want->all_tokens)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: was saved with other windows (found -c %" PRIu32
                       "%s, expected -c %" PRIu32 "%s)",
                       f->path, bytes_u32(h + 24), bytes_u32(h + 28) ? " --all-tokens" : "",
                       want->window, want->all_tokens ? " --all-tokens" : "");
    if (bytes_u64(h + 16) != want->n_rows || bytes_u64(h + 32) != want->ids_hash)
        return err_set(err, LORY_E_ARGUMENT, "%s: was saved for another text or tokenizer",
                       f->path);
    return true;
}

bool logits_file_open(file_map *f, const char *path, const logits_shape *shape, lory_err *err)
{
    if (!file_map_open(f, path, err)) return false;
    if (check_format(f, err) && check_shape(f, shape, err)) return true;
    file_map_close(f);
    return false;
}

void logits_file_get(const file_map *f, uint64_t i, int n_vocab, float *row)
{
    const unsigned char *at = f->data + HEADER_BYTES + (size_t)i * (size_t)n_vocab * 4;
    for (int j = 0; j < n_vocab; j++) row[j] = bytes_f32(at + 4 * (size_t)j);
}
