/* test_fuzz.c - the fuzz entries without a fuzzer: every good input of fuzz/seeds/X/, then a fixed
 * series of mutations of them, for a moment. Mutation i is a function of i alone, so a crash is
 * found again; the entry runs in a child process,
 * and the input that ended it is written to /tmp. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "test.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SEEDS = 32, MAX_BYTES = 1 << 16, N_MUTATIONS = 20000, BUDGET_MS = 500, HANG_S = 60 };

typedef int (*fuzz_fn)(const uint8_t *data, size_t n);

typedef struct {
    uint8_t *bytes; /* [n], malloc'ed at exactly that size, so that a sanitizer sees its end */
    size_t n;
} input;

typedef struct {
    input seeds[MAX_SEEDS];
    size_t n_seeds;
} corpus;

static bool read_seed(corpus *c, const char *path)
{
    static uint8_t bytes[MAX_BYTES];
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    input *s = &c->seeds[c->n_seeds++];
    *s = (input){ malloc(n + !n), n };
    memcpy(s->bytes, bytes, n);
    return true;
}

static bool read_corpus(corpus *c, const char *name)
{
    char folder[64], path[512];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "tests/fuzz/seeds/%s", name);
    int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && c->n_seeds < MAX_SEEDS) read_seed(c, path);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    return c->n_seeds > 0;
}

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Overwrites 1, 2, 4 or 8 bytes with a number that counts and sizes break at. */
static void put_number(uint8_t *b, size_t n, uint64_t *rng)
{
    static const uint64_t numbers[] = { 0,          1,          2,          0x7f,
                                        0x80,       0xff,       0x7fff,     0xffff,
                                        0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
                                        1ull << 60, INT64_MAX,  1ull << 63, UINT64_MAX };
    size_t width = (size_t)1 << next(rng) % 4;
    uint64_t v = numbers[next(rng) % (sizeof numbers / sizeof numbers[0])];
    if (n < width) return;
    memcpy(b + next(rng) % (n - width + 1), &v, width);
}

/* One small change of b[0..n), which has room for MAX_BYTES bytes; returns the new length. */
static size_t change(uint8_t *b, size_t n, const corpus *c, uint64_t *rng)
{
    if (n == 0) return 0;
    size_t at = next(rng) % n, len = 1 + next(rng) % (n - at < 64 ? n - at : 64);
    const input *other = &c->seeds[next(rng) % c->n_seeds];
    switch (next(rng) % 8) {
    case 0: b[at] ^= (uint8_t)(1u << next(rng) % 8); return n;
    case 1: b[at] = (uint8_t)next(rng); return n;
    case 2:
    case 3: put_number(b, n, rng); return n;
    case 4: return at; /* cut short */
    case 5: memmove(b + at, b + at + len, n - at - len); return n - len;
    case 6: /* a stretch twice */
        if (n + len > MAX_BYTES) return n;
        memmove(b + at + len, b + at, n - at);
        return n + len;
    default: /* a stretch of another seed */
        if (len > other->n) return n;
        memcpy(b + at, other->bytes + next(rng) % (other->n - len + 1), len);
        return n;
    }
}

/* The i-th input: the seeds themselves first, then mutations. The caller frees its bytes. */
static input make_input(const corpus *c, uint32_t i)
{
    static uint8_t b[MAX_BYTES];
    uint64_t rng = i;
    const input *seed = &c->seeds[i < c->n_seeds ? i : next(&rng) % c->n_seeds];
    size_t n = seed->n;
    memcpy(b, seed->bytes, n);
    if (i >= c->n_seeds)
        for (uint64_t k = 1 + next(&rng) % 4; k > 0; k--) n = change(b, n, c, &rng);
    input made = { malloc(n + !n), n };
    memcpy(made.bytes, b, n);
    return made;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In the child: *i is shared with the parent and says which input is being tried. The seeds are all
 * tried, however long that takes. */
static int try_all(fuzz_fn entry, const corpus *c, volatile uint32_t *i)
{
    int64_t end = now_ms() + BUDGET_MS;
    size_t live = 0;
    const char *folder = test_temp("files"); /* of the entries that make some */
    mkdir(folder, 0700);
    setenv("TMPDIR", folder, 1);
    alarm(HANG_S);
    for (*i = 0; *i < c->n_seeds || (*i < c->n_seeds + N_MUTATIONS && now_ms() < end); ++*i) {
        input in = make_input(c, *i);
        entry(in.bytes, in.n);
        free(in.bytes);
        if (*i == c->n_seeds) live = mem_live_bytes(); /* what an entry sets up once stays */
    }
    if (*i > c->n_seeds && mem_live_bytes() > live) {
        fprintf(stderr, "%zu bytes leaked\n", mem_live_bytes() - live);
        return 1;
    }
    return 0;
}

static void report(const char *name, const corpus *c, uint32_t i, int status)
{
    char path[64];
    input in = make_input(c, i);
    snprintf(path, sizeof path, "/tmp/lory-fuzz-%s-%u", name, i);
    FILE *f = fopen(path, "wb");
    if (f) fwrite(in.bytes, 1, in.n, f), fclose(f);
    free(in.bytes);
    test_fail(__FILE__, __LINE__, "fuzz_%s: input %u ends it (%s); it is in %s", name, i,
              WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit", path);
}

/* The seeds are those of `kind` of input. */
static void survives(const char *name, fuzz_fn entry, const char *kind)
{
    corpus c = { 0 };
    REQUIRE(read_corpus(&c, kind));
    volatile uint32_t *i =
        mmap(NULL, sizeof *i, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(i != MAP_FAILED);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) _exit(try_all(entry, &c, i));
    int status;
    waitpid(pid, &status, 0);
    CHECK(*i >= c.n_seeds, "only %u inputs tried", *i);
    if (status != 0) report(name, &c, *i, status);
    for (size_t s = 0; s < c.n_seeds; s++) free(c.seeds[s].bytes);
}

TEST(fuzz_gguf_survives_mutated_files)
{
    survives("gguf", fuzz_gguf, "gguf");
}

TEST(fuzz_model_survives_mutated_files)
{
    survives("model", fuzz_model, "gguf");
}

TEST(fuzz_json_survives_mutated_texts)
{
    survives("json", fuzz_json, "json");
}

TEST(fuzz_jinja_survives_mutated_templates)
{
    survives("jinja", fuzz_jinja, "jinja");
}

TEST(fuzz_utf8_survives_mutated_texts)
{
    survives("utf8", fuzz_utf8, "utf8");
}

TEST(fuzz_tokenizer_survives_mutated_texts)
{
    survives("tokenizer", fuzz_tokenizer, "tokenizer");
}

TEST(fuzz_grammar_survives_mutated_grammars)
{
    survives("grammar", fuzz_grammar, "grammar");
}

TEST(fuzz_talk_survives_mutated_files)
{
    survives("talk", fuzz_talk, "talk");
}

TEST(fuzz_history_survives_mutated_files)
{
    survives("history", fuzz_history, "history");
}

TEST(fuzz_calls_survives_mutated_texts)
{
    survives("calls", fuzz_calls, "calls");
}

TEST(fuzz_schema_survives_mutated_schemas)
{
    survives("schema", fuzz_schema, "schema");
}

TEST(fuzz_safetensors_survives_mutated_files)
{
    survives("safetensors", fuzz_safetensors, "safetensors");
}

TEST(fuzz_imatrix_survives_mutated_files)
{
    survives("imatrix", fuzz_imatrix, "imatrix");
}

TEST(fuzz_lora_survives_mutated_adapters)
{
    survives("lora", fuzz_lora, "lora");
}

TEST(fuzz_folder_survives_mutated_folders)
{
    survives("folder", fuzz_folder, "folder");
}

TEST(fuzz_convert_survives_mutated_files)
{
    survives("convert", fuzz_convert, "convert");
}

TEST(fuzz_logits_survives_mutated_files)
{
    survives("logits", fuzz_logits, "logits");
}

TEST(fuzz_request_survives_mutated_lines)
{
    survives("request", fuzz_request, "request");
}

TEST(fuzz_resume_survives_mutated_files)
{
    survives("resume", fuzz_resume, "resume");
}
