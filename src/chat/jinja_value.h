/* jinja_value.h - what a template computes with: Python's values, their memory and its bounds.
 * Layer: chat. All memory of a rendering belongs to its jrun and dies with it; values are plain
 * copies of small structs that point into it. One thread at a time.
 *
 * Every byte of a string knows whether it is plain: given by the context, so that it must never be
 * read as a control token. Whatever makes a string from others carries that along. */
#ifndef LORY_CHAT_JINJA_VALUE_H
#define LORY_CHAT_JINJA_VALUE_H

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "lory.h"

typedef enum {
    J_MISSING, /* a variable without value, an argument not given; never seen by a template */
    J_UNDEF,
    J_NONE,
    J_BOOL,
    J_INT,
    J_BIG, /* an int beyond 64 bits: jinja_big.h */
    J_FLOAT,
    J_STR,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_RANGE,
    J_VIEW, /* dict.keys(), .values(), .items() */
    J_ITER, /* a generator or another iterator: can be gone through once */
    J_NAMESPACE,
    J_FUNC,
    J_METHOD,
    J_MACRO,
    J_LOOP,
    J_CYCLER,
    J_JOINER,
} jtype;

typedef struct jinja jinja;
typedef struct jrun jrun;
typedef struct jval jval;

/* Bytes that a string shares with that which it was appended to: the newest grows in place. */
typedef struct {
    char *data;     /* [cap], [used] of it taken */
    uint8_t *plain; /* [cap], or NULL while all bytes are alike */
    size_t used, cap;
} jbytes;

typedef struct {
    const char *s;        /* [n] valid UTF-8, not NUL-terminated */
    const uint8_t *plain; /* [n] 1 = from the context; NULL: all bytes are as is_plain says */
    size_t n;
    jbytes *home;           /* may grow in place when its end is ours; else NULL */
    bool is_plain, is_safe; /* is_safe: a Markup, made by the filter safe */
    bool is_ascii;
} jstr;

typedef struct {
    jval *item; /* [n] */
    size_t n, cap;
    bool is_group; /* a tuple of groupby: its two items have the names grouper and list */
} jlist;

typedef struct jdict jdict;
typedef struct jiter jiter;
typedef struct jbuiltin jbuiltin;

typedef struct {
    int64_t start, step, n; /* n values */
    int64_t stop;           /* as it was given */
} jrange;

/* Why there is no value: a sentence, or the name that has none, in an object or else alone. */
typedef struct jundef jundef;

struct jval {
    jtype type;
    union {
        bool b;
        int64_t i;
        double f;
        const jstr *s; /* J_STR, J_BIG (its digits) */
        jlist *l;      /* J_LIST, J_TUPLE */
        jdict *d;      /* J_DICT, J_NAMESPACE */
        const jrange *range;
        jiter *iter;
        const jundef *u;
        void *p; /* the others: what their own file says */
    };
};

struct jundef {
    const char *hint; /* the whole sentence; else NULL */
    jval obj;         /* J_MISSING: the name of a variable */
    jval name;
};

typedef struct {
    jval key, value;
    uint64_t hash;
} jentry;

/* In order of insertion. */
struct jdict {
    jentry *entry; /* [n] */
    size_t n, cap;
    uint32_t *index; /* [n_index] entry + 1, 0 = free; NULL while n is small */
    size_t n_index;  /* a power of two */
};

typedef enum { JVIEW_KEYS, JVIEW_VALUES, JVIEW_ITEMS } jview_kind;
typedef struct {
    jview_kind kind;
    const jdict *d;
} jview;

typedef enum { JITER_ERROR = -1, JITER_END, JITER_VALUE } jiter_result;

struct jiter {
    jiter_result (*next)(jrun *r, jiter *it, jval *out);
    const char *type_name; /* what Python calls it */
    jval source;
    int64_t i; /* how far it is */
    bool is_reversed;
    jiter *in;   /* where items come from */
    void *state; /* of the one who made it */
};

/* ---- a rendering ------------------------------------------------------------------------- */

typedef struct jtext jtext;
typedef struct jframe jframe;

struct jrun {
    const jinja *t;
    mem_arena arena;
    size_t n_bytes, max_bytes; /* of memory taken */
    uint64_t n_steps, max_steps;
    int depth, max_depth;       /* of nested evaluation */
    size_t max_output;          /* bytes of any one text */
    uint32_t at;                /* where in the template: for error messages */
    int64_t now;                /* seconds since 1970, UTC */
    jtext *out;                 /* what is being written */
    jtext *texts;               /* all builders, for the end */
    jframe *frame, *root_frame; /* variables of what runs, of the template itself */
    jdict *globals;             /* functions, then what the caller passes */
    jdict *exported;            /* top-level variables, when the template has blocks */
    jval block_text;            /* what the filter of a filter block is applied to */
    bool autoescape;            /* what is made now is a Markup: within autoescape true */
    bool is_stopped;            /* an error is set */
    lory_err *err;
};

/* All fail with one sentence that names template, line and column; always false. */
bool jfail(jrun *r, const char *fmt, ...) ERR_PRINTF(2, 3);
bool jfail_memory(jrun *r);
/* A template's own raise_exception: the sentence is all there is. */
bool jfail_raised(jrun *r, const jstr *message);
/* Counts n units of work; false when the rendering has used up what it may. */
bool jspend(jrun *r, size_t n);
bool jenter(jrun *r); /* one level deeper; jleave only after true */
void jleave(jrun *r);
void *jalloc(jrun *r, size_t n, size_t size); /* zeroed; NULL with the error set */

/* ---- making values ----------------------------------------------------------------------- */

static inline jval jnone(void)
{
    return (jval){ .type = J_NONE };
}
static inline jval jbool(bool b)
{
    return (jval){ .type = J_BOOL, .b = b };
}
static inline jval jint(int64_t i)
{
    return (jval){ .type = J_INT, .i = i };
}
static inline jval jfloat(double f)
{
    return (jval){ .type = J_FLOAT, .f = f };
}
static inline jval jlist_value(jlist *l)
{
    return (jval){ .type = J_LIST, .l = l };
}
static inline jval jtuple_value(jlist *l)
{
    return (jval){ .type = J_TUPLE, .l = l };
}
static inline jval jdict_value(jdict *d)
{
    return (jval){ .type = J_DICT, .d = d };
}
static inline jval jstr_value(const jstr *s)
{
    return (jval){ .type = J_STR, .s = s };
}

/* These return false with the error set when memory or its budget is used up. */
bool jnew_str(jrun *r, const char *s, size_t n, bool is_plain, jval *out); /* a copy */
bool jnew_text(jrun *r, const char *s, jval *out); /* a literal, which must outlive the run */
/* Bytes [from, to) of s, sharing them. */
bool jnew_slice(jrun *r, const jstr *s, size_t from, size_t to, jval *out);
bool jnew_list(jrun *r, size_t cap, jlist **out);
bool jlist_put(jrun *r, jlist *l, jval v);
bool jnew_dict(jrun *r, jdict **out);
bool jnew_pair(jrun *r, jval a, jval b, jval *out); /* a tuple */
bool jnew_undef(jrun *r, jval obj, jval name, jval *out);
bool jnew_undef_hint(jrun *r, const char *hint, jval *out); /* hint must outlive the run */
bool jnew_view(jrun *r, const jdict *d, jview_kind kind, jval *out);

/* a followed by b; grows a in place where that can be. */
bool jconcat(jrun *r, const jstr *a, const jstr *b, jval *out);

/* Fails for a key that has no hash. An entry that is there keeps its place. */
bool jdict_put(jrun *r, jdict *d, jval key, jval value);
/* *found: NULL when it is not there. Fails like jdict_put. */
bool jdict_get(jrun *r, const jdict *d, jval key, const jval **found);

/* ---- asking values ----------------------------------------------------------------------- */

static inline bool jis_int(jval v)
{
    return v.type == J_INT || v.type == J_BOOL;
}
static inline bool jis_number(jval v)
{
    return jis_int(v) || v.type == J_FLOAT;
}
static inline int64_t jint_of(jval v)
{
    return v.type == J_BOOL ? v.b : v.i;
}
static inline double jfloat_of(jval v)
{
    return v.type == J_FLOAT ? v.f : (double)jint_of(v);
}
static inline bool jis_nan(jval v)
{
    return v.type == J_FLOAT && v.f != v.f;
}
static inline bool jis_seq(jval v)
{
    return v.type == J_LIST || v.type == J_TUPLE;
}

bool jstr_is(const jstr *s, const char *text);
/* Bytes of a name that an error shows, for "%.*s". */
static inline int jshown(const char *s, size_t n)
{
    return (int)utf8_cut(s, n, 60);
}
size_t jstr_count(const jstr *s); /* characters */
/* The byte where character i begins; i may be the number of characters. */
size_t jstr_offset(const jstr *s, size_t i);
bool jstr_has_plain(const jstr *s);
/* The first or last place of `part` in s[from..to), or SIZE_MAX. */
size_t jstr_find(const jstr *s, size_t from, size_t to, const jstr *part);
size_t jstr_rfind(const jstr *s, size_t from, size_t to, const jstr *part);

const char *jtype_name(jval v); /* as Python's type(v).__name__ */
bool jtruth(jval v);
/* len(v) for those that have one. */
bool jlength(jval v, size_t *n);
bool jequal(jrun *r, jval a, jval b, bool *out);
/* < 0, 0 or > 0 of numbers, exact for any int against any float; NaN is 0 to all. */
int jcompare_numbers(jval a, jval b);
/* Python's a < b; fails for types that have no order, naming `op`. */
bool jless(jrun *r, jval a, jval b, const char *op, bool *out);
bool jsame(jval a, jval b); /* `is` */
/* Fails with "'x' is undefined" or the like. */
bool jfail_undef(jrun *r, jval v);

#endif
