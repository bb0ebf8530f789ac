/* jinja_undef.c - see jinja_value.h: the sentence that says that a name has no value. */
#include "chat/jinja_text.h"
#include <stdio.h>

/* What jinja2 calls the owner of a missing attribute. */
static void put_owner(jval obj, char *name, size_t n)
{
    const char *module = obj.type == J_NAMESPACE || obj.type == J_CYCLER || obj.type == J_JOINER
                             ? "jinja2.utils."
                         : obj.type == J_MACRO || obj.type == J_LOOP ? "jinja2.runtime."
                         : obj.type == J_STR && obj.s->is_safe       ? "markupsafe."
                                                                     : "";
    if (obj.type == J_NONE)
        snprintf(name, n, "None");
    else
        snprintf(name, n, "%s%s object", module, jtype_name(obj));
}

bool jfail_undef(jrun *r, jval v)
{
    char owner[64];
    const jundef *u = v.u;
    jtext *name;
    if (u->hint) return jfail(r, "%s", u->hint);
    if (!(name = jtext_open(r)) || !jtext_put_repr(r, name, u->name)) return false;
    int n = name->n < LORY_ERR_MAX ? (int)name->n : LORY_ERR_MAX;
    const char *s = name->s ? name->s : "";
    if (u->obj.type == J_MISSING) return jfail(r, "%.*s is undefined", n, s);
    put_owner(u->obj, owner, sizeof owner);
    if (u->name.type != J_STR) return jfail(r, "%s has no element %.*s", owner, n, s);
    return jfail(r, "'%s' has no attribute %.*s", owner, n, s);
}
