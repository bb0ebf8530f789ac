/* bundled.c - see bundled.h. */
#include "cli/bundled.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include <stdio.h>

#define BUNDLED_NAME "tales-3m-q8_0.gguf"

/* Seen from the directory of the binary: ./lory of a checkout, build/<variant>/lory, bin/lory. */
static const char *const beside[] = { "models", "../models", "../../models", "../share/lory" };

static bool try(char path[BUNDLED_PATH_MAX], buf *tried, const char *dir, const char *below)
{
    int n =
        snprintf(path, BUNDLED_PATH_MAX, "%s%s%s/%s", dir, *below ? "/" : "", below, BUNDLED_NAME);
    if (n > 0 && n < BUNDLED_PATH_MAX && file_exists(path)) return true;
    buf_printf(tried, "%s%s%s%s", tried->len ? ", " : "", dir, *below ? "/" : "", below);
    return false;
}

bool bundled_find(char path[BUNDLED_PATH_MAX], lory_err *err)
{
    char dir[BUNDLED_PATH_MAX];
    buf tried = { 0 };
    bool found = false;
    if (file_program_dir(dir, sizeof dir))
        for (size_t i = 0; i < sizeof beside / sizeof beside[0] && !found; i++)
            found = try(path, &tried, dir, beside[i]);
    if (!found) found = try(path, &tried, LORY_MODEL_DIR, "");
    if (!found)
        err_set(err, LORY_E_IO,
                "no model: -m FILE names one, or $LORY_MODEL (no " BUNDLED_NAME " in %s)",
                tried.data ? tried.data : LORY_MODEL_DIR);
    buf_free(&tried);
    return found;
}
