/* test_layers.c - tools/layers.sh, which holds the house together: it finds nothing in src/, and it
 * does find each kind of breach. */
#include "base/file.h"
#include "test.h"
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Runs layers.sh over `folder` (NULL: src/); its status, and the start of what it printed. */
static int layers(const char *folder, char out[512])
{
    char cmd[600];
    snprintf(cmd, sizeof cmd, "tools/layers.sh %s 2>&1", folder ? folder : "src");
    FILE *p = popen(cmd, "r");
    if (!p) return -1;
    size_t n = fread(out, 1, 511, p);
    out[n] = '\0';
    int status = pclose(p);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A house of one file, src/FOLDER/x.c, with these lines. */
static int layers_of(const char *folder, const char *lines, char out[512])
{
    char root[256], path[400];
    snprintf(root, sizeof root, "%s", test_temp("house"));
    mkdir(root, 0777);
    snprintf(path, sizeof path, "%s/%s", root, folder);
    mkdir(path, 0777);
    strcat(path, "/x.c");
    FILE *f = fopen(path, "w");
    if (!f) return -1;
    fputs(lines, f);
    fclose(f);
    int status = layers(root, out);
    remove(path);
    return status;
}

TEST(layers_every_arrow_of_the_house_points_down)
{
    char out[512];
    CHECK(layers(NULL, out) == 0, "%s", out);
}

TEST(layers_finds_each_breach)
{
    static const struct {
        const char *folder, *lines, *found;
    } cases[] = {
        { "engine", "#include \"sample/chain.h\"\n", "engine may not include sample/chain.h" },
        { "kernels", "int x;\n#include \"model/hparams.h\"\n", "x.c:2: kernels may not include" },
        { "token", "#include \"cli/opts.h\"\n", "token may not include cli/opts.h" },
        { "cli", "#include \"gguf/gguf.h\"\n", "cli may not include gguf/gguf.h" },
        { "model", "#include <unistd.h>\n", "operating system" },
        { "quant", "#include <immintrin.h>\n", "only kernels have intrinsics" },
        { "text", "#ifdef __linux__\n#endif\n", "platform" },
        { "gguf", "void f(void) { printf(\"x\"); }\n", "never prints" },
        { "engine", "/* a\n b */ void f(void) { exit(1); }\n", "x.c:2: the library never exits" },
        { "attic", "int x;\n", "no folder attic" },
    };
    char out[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = layers_of(cases[i].folder, cases[i].lines, out);
        CHECK(status == 1 && strstr(out, cases[i].found), "case %zu: exit %d, %s", i, status, out);
    }
}

TEST(layers_leaves_comments_strings_and_lower_floors_alone)
{
    char out[512];
    int status = layers_of("sample",
                           "/* exit() and\n printf() */ // abort()\n#include \"token/vocab.h\"\n"
                           "#include \"lory.h\"\nconst char *s = \"exit(1) \\\" stderr\";\n"
                           "void on_exit(void) __attribute__((format(printf, 1, 2)));\n",
                           out);
    CHECK(status == 0, "%s", out);
}

/* The name without its ending, between backticks in the page: `name`, `name.h`, or `kind_*.c`. */
static bool is_named(const char *page, const char *file)
{
    char quoted[300];
    int n_stem = (int)strcspn(file, "."), n_kind = (int)strcspn(file, "_");
    snprintf(quoted, sizeof quoted, "`%.*s`", n_stem, file);
    if (strstr(page, quoted)) return true;
    snprintf(quoted, sizeof quoted, "`%s`", file);
    if (strstr(page, quoted)) return true;
    snprintf(quoted, sizeof quoted, "`%.*s_*.c`", n_kind, file);
    return strstr(page, quoted) != NULL;
}

/* A header that the page does not name has a source file that it does. */
static void check_folder(const char *page, const char *folder)
{
    struct dirent *e;
    DIR *d = opendir(folder);
    REQUIRE(d, "%s", folder);
    while ((e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name);
        bool is_source = n > 2 && e->d_name[n - 2] == '.' && strchr("ch", e->d_name[n - 1]);
        if (is_source) CHECK(is_named(page, e->d_name), "%s/%s", folder, e->d_name);
    }
    closedir(d);
}

TEST(layers_the_tour_names_every_file)
{
    static const char *const folders[] = {
        "base",  "text",    "quant", "gguf",   "kernels", "chat",
        "token", "convert", "model", "sample", "engine",  "cli"
    };
    char path[64];
    lory_err err;
    buf page = { 0 };
    REQUIRE(file_read("src/README.md", 1 << 20, &page, &err), "%s", err.text);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "src/%s", folders[i]);
        check_folder(page.data, path);
    }
    buf_free(&page);
}
