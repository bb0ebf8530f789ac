/* jinja_loop.c - see jinja_run.h: the variable `loop`, which looks ahead only when it is asked to.
 * Layer: chat. */
#include "chat/jinja_run.h"

jiter_result jloop_next(jrun *r, jloop *loop, jval *out)
{
    jiter_result got = JITER_VALUE;
    if (loop->has_after)
        *out = loop->after;
    else
        got = jiter_next(r, loop->it, out);
    if (got != JITER_VALUE) return got;
    loop->has_after = false;
    loop->index0++;
    loop->before = loop->current;
    loop->current = *out;
    return got;
}

/* *there: whether another item follows, which is then loop->after. */
static bool look_ahead(jrun *r, jloop *loop, bool *there)
{
    *there = loop->has_after;
    if (*there) return true;
    jiter_result got = jiter_next(r, loop->it, &loop->after);
    *there = loop->has_after = got == JITER_VALUE;
    return got != JITER_ERROR;
}

/* What has no length is gone through to the end, and its items kept. */
static bool find_length(jrun *r, jloop *loop)
{
    size_t n;
    jlist *rest;
    if (loop->length >= 0) return true;
    if (!loop->node->c && jlength(loop->source, &n)) {
        loop->length = (int64_t)n;
        return true;
    }
    jval it = { .type = J_ITER, .iter = loop->it };
    if (!jto_list(r, it, &rest) || !(loop->it = jiter_of(r, jlist_value(rest)))) return false;
    loop->length = (int64_t)rest->n + loop->index0 + 1 + loop->has_after;
    return true;
}

static bool neighbour_attr(jrun *r, jloop *loop, const jstr *name, jval *out)
{
    bool there;
    if (jstr_is(name, "previtem")) {
        if (loop->index0 == 0) return jnew_undef_hint(r, "there is no previous item", out);
        *out = loop->before;
        return true;
    }
    if (!look_ahead(r, loop, &there)) return false;
    if (jstr_is(name, "last"))
        *out = jbool(!there);
    else if (there)
        *out = loop->after;
    else
        return jnew_undef_hint(r, "there is no next item", out);
    return true;
}

bool jloop_attr(jrun *r, jloop *loop, const jstr *name, jval *out)
{
    if (jstr_is(name, "index"))
        *out = jint(loop->index0 + 1);
    else if (jstr_is(name, "index0"))
        *out = jint(loop->index0);
    else if (jstr_is(name, "first"))
        *out = jbool(loop->index0 == 0);
    else if (jstr_is(name, "depth"))
        *out = jint(loop->depth0 + 1);
    else if (jstr_is(name, "depth0"))
        *out = jint(loop->depth0);
    else if (jstr_is(name, "last") || jstr_is(name, "nextitem") || jstr_is(name, "previtem"))
        return neighbour_attr(r, loop, name, out);
    if (out->type != J_MISSING) return true;
    bool is_length = jstr_is(name, "length"), is_rev = jstr_is(name, "revindex");
    if (!is_length && !is_rev && !jstr_is(name, "revindex0")) return true;
    if (!find_length(r, loop)) return false;
    *out = jint(is_length ? loop->length : loop->length - loop->index0 - !is_rev);
    return true;
}
