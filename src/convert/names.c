/* names.c - see names.h. */
#include "convert/names.h"
#include <stdio.h>
#include <string.h>

/* A decimal number below 10^6 without leading zeros at *s, which is stepped over it; or -1. */
static int take_number(const char **s)
{
    const char *p = *s;
    int v = 0;
    if (*p == '0' && p[1] >= '0' && p[1] <= '9') return -1;
    while (*p >= '0' && *p <= '9' && p - *s < 7) v = 10 * v + (*p++ - '0');
    if (p == *s || p - *s > 6) return -1;
    *s = p;
    return v;
}

/* The place among `letters` of the one at *s, which is stepped over; or -1. */
static int take_letter(const char **s, const char *letters)
{
    const char *at = **s ? strchr(letters, **s) : NULL;
    *s += at != NULL;
    return at ? (int)(at - letters) : -1;
}

/* Whether a name is of a row. */
static bool match_row(const char *name, const hf_row *row, hf_match *m)
{
    const char *p = row->from;
    *m = (hf_match){ .row = row, .layer = -1, .expert = -1, .suffix = "" };
    while (*p) {
        if (*p == '%') {
            bool is_letter = p[1] == 'e' && row->letters;
            int v = is_letter ? take_letter(&name, row->letters) : take_number(&name);
            if (v < 0) return false;
            *(p[1] == 'd' ? &m->layer : &m->expert) = v;
            p += 2;
        } else if (*p++ != *name++) {
            return false;
        }
    }
    if (row->flags & HF_WHOLE_NAME) return *name == '\0';
    m->suffix = strcmp(name, ".weight") == 0 ? ".weight" : ".bias";
    return strcmp(name, m->suffix) == 0;
}

static const hf_row *match_rows(const char *name, const hf_row *rows, hf_match *m)
{
    for (; rows->from; rows++)
        if (match_row(name, rows, m)) return rows;
    return NULL;
}

/* Wrappers around a text model put their names before its own. */
static const char *const prefixes[] = { "", "transformer.", "language_model.", "model.",
                                        "base_model.", "language.", "thinker." };

const hf_row *names_match(const hf_family *f, const char *name, hf_match *m)
{
    static const char *const within[] = { "model.language_model.", "model.text_model." };
    char text_name[HF_MAX_NAME];
    for (size_t i = 0; i < sizeof within / sizeof within[0]; i++) { /* they stand for "model." */
        size_t n = strlen(within[i]);
        if (strncmp(name, within[i], n) != 0 || strlen(name) >= HF_MAX_NAME) continue;
        snprintf(text_name, sizeof text_name, "model.%s", name + n);
        name = text_name;
        break;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], n) != 0) continue;
        const hf_row *r = match_rows(name + n, f->rows, m);
        if (!r) r = match_rows(name + n, f->more_rows, m);
        if (r) return r;
    }
    return NULL;
}

const char *names_fill(const char *pattern, int layer, char out[HF_MAX_NAME])
{
    size_t n = 0;
    for (const char *s = pattern; *s; s++) {
        bool is_number = *s == '%';
        if (is_number)
            n += (size_t)snprintf(out + n, 12, "%d", s[1] == 'd' ? layer : 0);
        else
            out[n++] = *s;
        s += is_number;
    }
    out[n] = '\0';
    return out;
}
