/* sniff.c - see sniff.h. */
#include "gguf/sniff.h"
#include "base/bytes.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

typedef struct {
    size_t at, n;      /* where the bytes must be, and how many */
    const char *bytes; /* [n] */
    const char *what;
} sniff_row;

#define HTML     "an HTML page, not a model (the download got a web page instead)"
#define OLD_GGML "in an old GGML format from before GGUF; convert it from its source again"

/* First match wins. */
static const sniff_row rows[] = {
    { 0, 4, "FUGG", "a GGUF file with its bytes swapped" },
    { 0, 4, "lmgg", OLD_GGML },
    { 0, 4, "fmgg", OLD_GGML },
    { 0, 4, "tjgg", OLD_GGML },
    { 0, 4, "algg", "a LoRA adapter in an old GGML format from before GGUF" },
    { 0, 4, "24ka", "a llama2.c checkpoint; 'lory convert' makes a GGUF file of it" },
    { 0, 18, "version https://gi", "a git-lfs pointer, not the file itself; run 'git lfs pull'" },
    { 0, 4, "PK\3\4", "a ZIP archive (PyTorch checkpoints are), not a GGUF file" },
    { 0, 2, "\x1f\x8b", "compressed by gzip; unpack it first" },
    { 0, 3, "BZh", "compressed by bzip2; unpack it first" },
    { 0, 6, "\3757zXZ\0", "compressed by xz; unpack it first" },
    { 0, 4, "\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first" },
    { 0, 4, "\x04\x22\x4d\x18", "compressed by lz4; unpack it first" },
    { 0, 6, "7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first" },
    { 0, 4, "Rar!", "a RAR archive; unpack it first" },
    { 257, 5, "ustar", "a tar archive; unpack it first" },
    { 0, 2, "\x80\2", "a Python pickle (an old PyTorch checkpoint)" },
    { 0, 4, "\x89HDF", "an HDF5 file (Keras weights are), not a GGUF file" },
    { 0, 6, "\x93NUMPY", "a NumPy array, not a GGUF file" },
    { 4, 4, "TFL3", "a TensorFlow Lite model, not a GGUF file" },
    { 0, 9, "\n\x0e\n\x05<unk>", "a SentencePiece tokenizer.model, not a GGUF file" },
    { 0, 4, "\177ELF", "a program, not a model" },
    { 0, 4, "%PDF", "a PDF document, not a model" },
    { 0, 4, "\x89PNG", "a PNG picture, not a model" },
};

static bool starts_with_word(const unsigned char *data, size_t n, const char *word)
{
    size_t i = 0, n_word = strlen(word);
    while (i < n && i < 256 && strchr(" \t\r\n", data[i]) && data[i]) i++;
    return n - i >= n_word && strncasecmp((const char *)data + i, word, n_word) == 0;
}

/* A safetensors file begins with the length of its JSON header, a u64. */
static bool is_safetensors(const unsigned char *data, size_t n)
{
    return n > 10 && bytes_u64(data) >= 2 && bytes_u64(data) <= n - 8 && data[8] == '{';
}

/* The oldest llama2.c checkpoints have no magic, only seven small numbers that must fit. */
static bool is_llama2c(const unsigned char *data, size_t n)
{
    if (n < 28) return false;
    int32_t h[7]; /* dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len */
    for (int i = 0; i < 7; i++) h[i] = (int32_t)bytes_u32(data + 4 * i);
    if (h[5] < 0 && h[5] > INT32_MIN) h[5] = -h[5];
    for (int i = 0; i < 7; i++)
        if (h[i] < 1 || h[i] > 1 << 20) return false;
    return h[0] % h[3] == 0 && h[3] % h[4] == 0;
}

const char *sniff_format(const unsigned char *data, size_t n)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (n >= rows[i].at + rows[i].n && memcmp(data + rows[i].at, rows[i].bytes, rows[i].n) == 0)
            return rows[i].what;
    if (is_safetensors(data, n))
        return "a safetensors file; 'lory convert' makes a GGUF file of its folder";
    if (is_llama2c(data, n)) return "a llama2.c checkpoint; 'lory convert' makes a GGUF file of it";
    if (starts_with_word(data, n, "<!doctype") || starts_with_word(data, n, "<html")) return HTML;
    if (starts_with_word(data, n, "{")) return "a JSON text, not a GGUF file";
    if (n >= 16 && memcmp(data, (const unsigned char[16]){ 0 }, 16) == 0)
        return "all zeros at its start (a download that did not finish?)";
    return NULL;
}
