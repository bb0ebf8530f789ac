/* test_readme.c - what pages say: the program in README.md, which the Makefile builds beside the
 * program under test; the table of models. */
#include "base/file.h"
#include "model/model.h"
#include "test.h"
#include <stdlib.h>
#include <sys/wait.h>

/* What a command prints, without newlines at its end; false when it fails. */
static bool output_of(const char *cmd, char *out, size_t cap)
{
    FILE *p = popen(cmd, "r");
    if (!p) return false;
    size_t n = fread(out, 1, cap - 1, p);
    while (n > 0 && out[n - 1] == '\n') n--;
    out[n] = '\0';
    int status = pclose(p);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(readme_example_writes_what_lory_run_writes)
{
    static char by_example[4096], by_lory[4096];
    char cmd[1024];
    const char *lory = getenv("LORY"), *slash = lory ? strrchr(lory, '/') : NULL;
    if (!slash) test_skip("needs --lory PATH");
    if (strstr(slash, "-emulated")) test_skip("not under an emulator");
    snprintf(cmd, sizeof cmd, "%.*s/example models/tales-3m-q8_0.gguf 'Once upon a time'",
             (int)(slash - lory), lory);
    REQUIRE(output_of(cmd, by_example, sizeof by_example), "%s", cmd);
    snprintf(cmd, sizeof cmd,
             "%s run -m models/tales-3m-q8_0.gguf -p 'Once upon a time' -n 40 --temp 0", lory);
    REQUIRE(output_of(cmd, by_lory, sizeof by_lory), "%s", cmd);
    CHECK(strlen(by_example) > 40, "only \"%s\"", by_example);
    CHECK_STR(by_example, by_lory);
}

TEST(every_architecture_is_in_the_page_of_models)
{
    buf page = { 0 };
    lory_err err = { 0 };
    char name[64];
    REQUIRE(file_read("models/FORMATS.md", 1 << 20, &page, &err), "%s", err.text);
    for (int i = 0; archs[i]; i++) {
        snprintf(name, sizeof name, "`%s`", archs[i]->name);
        CHECK(strstr(page.data, name), "models/FORMATS.md lacks %s", name);
    }
    buf_free(&page);
}
