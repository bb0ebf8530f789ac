/* batch_state.c - see batch_state.h. */
#include "cli/batch_state.h"
#include "base/err.h"
#include "base/hash.h"
#include "text/json.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void batch_state_free(batch_state *s)
{
    buf_free(&s->settings);
    *s = (batch_state){ 0 };
}

static bool name_of(const char *out_path, buf *name, lory_err *err)
{
    if (buf_puts(name, out_path) && buf_puts(name, ".resume")) return true;
    return err_set(err, LORY_E_MEMORY, "%s: no memory", out_path);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void put_state(const batch_state *s, buf *out)
{
    json_writer w = { out, false };
    json_begin_object(&w);
    json_member_int(&w, "lory_batch_resume", BATCH_STATE_VERSION);
    json_member_str(&w, "lory", lory_version());
    json_open_object(&w, "input");
    json_member_int(&w, "bytes", s->input.n_bytes);
    json_member_int(&w, "lines", s->input.n_lines);
    json_member_str(&w, "xxh64", hash64_digits(s->input.hash).text);
    json_end_object(&w);
    json_open_object(&w, "model");
    json_member_str(&w, "fingerprint", hash64_digits(s->model).text);
    json_end_object(&w);
    json_member_raw(&w, "settings", s->settings.data, s->settings.len);
    json_end_object(&w);
    buf_putc(out, '\n');
}

bool batch_state_prepare(const batch_state *s, const char *out_path, file_new *f, lory_err *err)
{
    buf name = { 0 }, text = { 0 };
    *f = (file_new){ 0 };
    put_state(s, &text);
    bool ok = name_of(out_path, &name, err);
    if (ok && text.failed) ok = err_set(err, LORY_E_MEMORY, "%s: no memory", out_path);
    ok = ok && file_create(f, name.data, err);
    if (ok && !file_write(f, text.data, text.len, err)) {
        file_abandon(f);
        ok = false;
    }
    buf_free(&name);
    buf_free(&text);
    return ok;
}

bool batch_state_is(const char *out_path, const struct stat *file)
{
    buf name = { 0 };
    lory_err err;
    struct stat st;
    bool is_it = name_of(out_path, &name, &err) && stat(name.data, &st) == 0
                 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
    buf_free(&name);
    return is_it;
}

void batch_state_remove(const char *out_path)
{
    buf name = { 0 };
    lory_err err;
    if (name_of(out_path, &name, &err)) unlink(name.data);
    buf_free(&name);
}

/* ---- checking ---------------------------------------------------------------------------- */

static bool damaged(const char *name, lory_err *err)
{
    return err_set(err, LORY_E_FORMAT, "%s: is no state of a lory batch (damaged?)", name);
}

static bool check_version(const json *root, const char *name, lory_err *err)
{
    int64_t version;
    if (!json_get_int(json_get(root, "lory_batch_resume"), &version)) return damaged(name, err);
    if (version == BATCH_STATE_VERSION) return true;
    return err_set(err, LORY_E_UNSUPPORTED, "%s: has version %" PRId64 " (expected %d)", name,
                   version, BATCH_STATE_VERSION);
}

static bool check_lory(const json *root, const char *out, const char *name, lory_err *err)
{
    const char *made_by;
    size_t n;
    if (!json_get_str(json_get(root, "lory"), &made_by, &n)) return damaged(name, err);
    if (strcmp(made_by, lory_version()) == 0) return true;
    return err_set(err, LORY_E_ARGUMENT, "%s: was made by lory %s, this is %s", out, made_by,
                   lory_version());
}

static bool check_input(const batch_state *s, const json *j, const char *out, const char *name,
                        lory_err *err)
{
    int64_t n_bytes, n_lines;
    const json *hash = json_get(j, "xxh64");
    if (!json_get_int(json_get(j, "bytes"), &n_bytes)
        || !json_get_int(json_get(j, "lines"), &n_lines) || !hash || hash->type != JSON_STRING)
        return damaged(name, err);
    if ((uint64_t)n_bytes == s->input.n_bytes && (uint64_t)n_lines == s->input.n_lines
        && json_str_is(hash, hash64_digits(s->input.hash).text))
        return true;
    return err_set(err, LORY_E_ARGUMENT,
                   "%s: belongs to another input (found %" PRIu64 " line%s, %" PRIu64
                   " bytes, xxh64 %s, expected %" PRId64 ", %" PRId64 ", %s)",
                   out, s->input.n_lines, plural(s->input.n_lines), s->input.n_bytes,
                   hash64_digits(s->input.hash).text, n_lines, n_bytes, hash->str);
}

static bool check_model(const batch_state *s, const json *j, const char *out, const char *name,
                        lory_err *err)
{
    const json *print = json_get(j, "fingerprint");
    if (!print || print->type != JSON_STRING) return damaged(name, err);
    if (json_str_is(print, hash64_digits(s->model).text)) return true;
    return err_set(err, LORY_E_ARGUMENT,
                   "%s: belongs to another model or other adapters (found fingerprint %s, "
                   "expected %s)",
                   out, hash64_digits(s->model).text, print->str);
}

static const char *text_of(const json *j)
{
    return j && j->type == JSON_STRING ? j->str : "nothing";
}

/* Names the first setting that differs. */
static bool check_settings(const json *now, const json *then, const char *out, lory_err *err)
{
    for (const json *j = now->first; j; j = j->next) {
        const json *was = json_get(then, j->key);
        if (was && was->type == JSON_STRING && json_str_is(was, j->str)) continue;
        return err_set(err, LORY_E_ARGUMENT,
                       "%s: belongs to other settings (--%s: found %.200s, expected %.200s)", out,
                       j->key, text_of(j), text_of(was));
    }
    if (now->n == then->n) return true;
    return err_set(err, LORY_E_ARGUMENT, "%s: belongs to other settings", out);
}

static bool check_all(const batch_state *s, const json *root, const char *out, const char *name,
                      lory_err *err)
{
    json_doc now;
    const json *then = json_get(root, "settings");
    if (!check_version(root, name, err) || !check_lory(root, out, name, err)
        || !check_input(s, json_get(root, "input"), out, name, err)
        || !check_model(s, json_get(root, "model"), out, name, err))
        return false;
    if (!then || then->type != JSON_OBJECT) return damaged(name, err);
    if (!json_read(&now, s->settings.data, s->settings.len, "settings", err)) return false;
    bool ok = check_settings(now.root, then, out, err);
    json_close(&now);
    return ok;
}

bool batch_state_check(const batch_state *s, const char *out_path, lory_err *err)
{
    buf name = { 0 }, text = { 0 };
    json_doc d;
    bool ok = name_of(out_path, &name, err);
    if (ok && !file_exists(name.data))
        ok = err_set(err, LORY_E_IO,
                     "%s: cannot be gone on with: %s, which says what it belongs to, is missing",
                     out_path, name.data);
    ok = ok && file_read(name.data, BATCH_STATE_MAX_BYTES, &text, err)
         && json_read(&d, text.len ? text.data : "", text.len, name.data, err);
    if (ok) {
        ok = check_all(s, d.root, out_path, name.data, err);
        json_close(&d);
    }
    buf_free(&name);
    buf_free(&text);
    return ok;
}
