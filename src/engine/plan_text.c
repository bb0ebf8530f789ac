/* plan_text.c - see plan_text.h. */
#include "engine/plan_text.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdio.h>
#include <string.h>

/* "attn_q" of blk.3.attn_q.weight. */
static void put_weight(buf *b, const model *m, const plan_step *s, const weight *w)
{
    char name[64], *at = name;
    int il = s->il < 0 ? 0 : s->il;
    role_name(weights_role_of(&m->w, m->hp.n_layer, w), il, name, sizeof name);
    if (strncmp(name, "blk.", 4) == 0) at = strchr(name + 4, '.') + 1;
    char *end = strstr(at, ".weight");
    if (end) *end = '\0';
    buf_printf(b, " %s%s", at, w->bias ? "+bias" : "");
}

static int n_products(const plan_step *s)
{
    return s->op == OP_MATMUL ? s->n_matmul : 1;
}

static void put_input_forms(buf *b, const plan_step *s)
{
    const char *form[3];
    int n = 0;
    if (s->op != OP_INPUT && s->op != OP_EXPERT_INPUT) return;
    if (s->norm) buf_printf(b, ", after %s", plan_op_name((lory_op)s->norm));
    if (s->want_f32) form[n++] = "f32";
    if (s->want_i8) form[n++] = "int8";
    if (s->want_tiles) form[n++] = s->norm ? "f32 or tiles" : "tiles";
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s%s", i == 0 ? ", as " : " and ", form[i]);
}

/* "matmul       q k v <- x: attn_q attn_k attn_v (q8_0), then ..." */
static void put_step(buf *b, const model *m, const plan_step *s)
{
    static const char *const meets[] = { [SYNC_NONE] = "",
                                         [SYNC_MANY] = "; many meet",
                                         [SYNC_HEADS] = "; many meet, or those of cut heads",
                                         [SYNC_ALL] = "; all meet" };
    buf_printf(b, "%-12s", plan_op_name((lory_op)s->op));
    for (int i = 0; i < n_products(s); i++) buf_printf(b, " %s", plan_slot_name(s->dst[i]));
    if (s->op != OP_EMBED) buf_printf(b, " <- %s", plan_slot_name(s->src));
    put_input_forms(b, s);
    for (int i = 0; i < n_products(s) && s->w[i]; i++) {
        buf_puts(b, i ? "" : ":");
        put_weight(b, m, s, s->w[i]);
    }
    for (int i = 0; i < n_products(s) && s->w[i]; i++)
        if (i == 0 || s->w[i]->type != s->w[i - 1]->type)
            buf_printf(b, "%s%s", i ? " " : " (", qtypes[s->w[i]->type].name);
    if (s->w[0]) buf_putc(b, ')');
    if (s->then) buf_printf(b, ", then %s", plan_op_name((lory_op)s->then));
    if (s->add) buf_puts(b, ", added to x");
    buf_puts(b, meets[s->sync]);
}

/* The lines of steps [first, end), each with its newline. */
static void put_steps(buf *b, const plan *p, const model *m, int first, int end)
{
    buf_clear(b);
    for (int i = first; i < end; i++) {
        put_step(b, m, &p->step[i]);
        buf_putc(b, '\n');
    }
}

/* Where the steps of the layer (or of what is outside of layers) that begins at `i` end. */
static int end_of(const plan *p, int i)
{
    int end = i;
    while (end < p->n_step && p->step[end].il == p->step[i].il) end++;
    return end;
}

static void hand_on(buf *lines, int first_layer, int last_layer, lory_on_plan_step on_step,
                    void *user)
{
    char *line = lines->data, *end;
    for (; line && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        on_step(user, &(lory_plan_step){ first_layer, last_layer, line });
    }
}

static bool is_same(const buf *a, const buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

bool plan_describe(const plan *p, const model *m, lory_on_plan_step on_step, void *user,
                   lory_err *err)
{
    buf lines = { 0 }, next = { 0 };
    bool ok = true;
    for (int i = 0, end; ok && i < p->n_step; i = end) {
        int il = p->step[i].il, last = il;
        end = end_of(p, i);
        put_steps(&lines, p, m, i, end);
        while (il >= 0 && end < p->n_step && p->step[end].il == last + 1) {
            put_steps(&next, p, m, end, end_of(p, end));
            if (next.failed || !is_same(&next, &lines)) break;
            end = end_of(p, end);
            last++;
        }
        ok = !lines.failed && !next.failed;
        if (ok) hand_on(&lines, il, last, on_step, user);
    }
    buf_free(&lines);
    buf_free(&next);
    return ok || err_set(err, LORY_E_MEMORY, "plan: no memory for its text");
}
