/* read.c - see read.h. */
#include "read.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/jsonl.h"
#include "docs.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool read_texts(const char *path, bool is_running, read_text put, void *to, lory_err *err)
{
    const size_t n_mark = sizeof DOCUMENT_END - 1;
    file_map f;
    bool ok = file_map_open(&f, path, err);
    if (!ok) return false;
    const char *s = (const char *)f.data, *end = s + f.size;
    while (ok && s < end) {
        const char *mark = is_running ? NULL : memmem(s, (size_t)(end - s), DOCUMENT_END, n_mark);
        const char *to_here = mark ? mark : end;
        while (s < to_here && is_blank(*s)) s++;
        while (to_here > s && is_blank(to_here[-1])) to_here--;
        ok = to_here == s || put(to, s, (size_t)(to_here - s), err);
        s = mark ? mark + n_mark : end;
    }
    file_map_close(&f);
    return ok;
}

static bool put_line(const lines *in, const json *root, read_chat put, void *to, lory_err *err)
{
    const json *messages = json_get(root, "messages");
    if (!messages || messages->type != JSON_ARRAY)
        return jsonl_wrong(in, err, "no list \"messages\"");
    return put(to, messages, err) || jsonl_wrong(in, err, "%s", err->text);
}

bool read_chats(const char *path, read_chat put, void *to, lory_err *err)
{
    lines in = jsonl_of(open(path, O_RDONLY | O_CLOEXEC), path);
    json_doc d;
    jsonl_result got = JSONL_VALUE;
    bool ok = true;
    if (in.fd < 0) return err_set_errno(err, LORY_E_IO, "%s: cannot open", path);
    while (ok && (got = jsonl_next(&in, &d, err)) == JSONL_VALUE) {
        ok = put_line(&in, d.root, put, to, err);
        json_close(&d);
    }
    close(in.fd);
    lines_close(&in);
    return ok && got == JSONL_END;
}
