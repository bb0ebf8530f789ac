/* outputs.c - the files that commands make take the place of none that is read; see cli.h. */
#include "base/err.h"
#include "base/file.h"
#include "cli/cli.h"
#include "gguf/gguf.h"
#include <string.h>

bool cli_is_read(const char *read, const char *out)
{
    return file_is_same(out, read) || gguf_is_part(read, out);
}

bool cli_may_write(const char *subject, const char *out, const char *const *read, size_t n,
                   lory_err *err)
{
    if (strcmp(out, "-") == 0)
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: cannot be standard output (./- is a file of that name)", subject);
    for (size_t i = 0; i < n; i++)
        if (read[i] && cli_is_read(read[i], out))
            return err_set(err, LORY_E_ARGUMENT, "%s: %.400s is a file that is read (%.400s)",
                           subject, out, read[i]);
    return file_can_create(out, err);
}

int cli_check_output(const char *subject, const char *out, const char *const *read, size_t n)
{
    lory_err err;
    if (!out || cli_may_write(subject, out, read, n, &err)) return 0;
    return err.code == LORY_E_ARGUMENT ? cli_usage("%s", err.text) : cli_fail(&err);
}
