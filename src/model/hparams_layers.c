/* hparams_layers.c - windows, rotation, heads and widths of each layer; see hparams.h. */
#include "base/err.h"
#include "model/hparams.h"
#include <string.h>

/* ---- which layers have a window, and which rotate -------------------------------------------- */

static void set_bit(uint64_t *map, int i, bool value)
{
    uint64_t bit = (uint64_t)1 << i % 64;
    map[i / 64] = value ? map[i / 64] | bit : map[i / 64] & ~bit;
}

void hparams_set_full_layer(hparams *hp, int il, bool is_full)
{
    set_bit(hp->full_map, il, is_full);
}

void hparams_set_full(hparams *hp, int first, int period)
{
    for (int il = 0; il < HPARAMS_MAX_LAYER; il++)
        hparams_set_full_layer(hp, il, il >= first && (il - first) % period == 0);
}

void hparams_set_nope(hparams *hp, int first, int period)
{
    for (int il = 0; il < HPARAMS_MAX_LAYER; il++)
        set_bit(hp->nope_map, il, il >= first && (il - first) % period == 0);
}

void hparams_nope_if_full(hparams *hp)
{
    if (hp->window > 0) memcpy(hp->nope_map, hp->full_map, sizeof hp->nope_map);
}

void hparams_set_rotating(hparams *hp, int il)
{
    set_bit(hp->nope_map, il, false);
}

bool hparams_rotates(const hparams *hp, int il)
{
    return hp->n_rot > 0 && !(hp->nope_map[il / 64] >> il % 64 & 1);
}

/* ---- what each layer has --------------------------------------------------------------------- */

void hparams_set_recurrent(hparams *hp, int il, int n)
{
    hp->layer[il].n_state = n;
    hp->layer[il].n_head = hp->layer[il].n_kv_head = HPARAMS_NO;
}

bool hparams_has_experts(const hparams *hp, int il)
{
    return hp->n_expert > 0 && il >= hp->n_dense_lead && (il + 1) % hp->n_moe_step == 0
           && !hp->layer[il].is_dense;
}

int hparams_window(const hparams *hp, int il)
{
    return hp->full_map[il / 64] >> il % 64 & 1 ? 0 : hp->window;
}

int hparams_first_seen(const hparams *hp, int window, int pos)
{
    if (window == 0) return 0;
    if (hp->window_is_chunk) return pos - pos % window;
    return pos >= window ? pos + 1 - window : 0;
}

/* ---- settling -------------------------------------------------------------------------------- */

/* What a layer has: all have as much where it has no number of its own. */
static int settled(int own, int all)
{
    return own == HPARAMS_NO ? 0 : own ? own : all;
}

static void raise_to(int *most, int n)
{
    if (n > *most) *most = n;
}

/* The last layer with keys and values of its own that sees as far as layer il; -1: none. */
static int find_kv_layer(const hparams *hp, int il)
{
    if (hp->n_kv_layer == 0 || il < hp->n_kv_layer) return il;
    int j = hp->n_kv_layer - 1;
    while (j >= 0 && hparams_window(hp, j) != hparams_window(hp, il)) j--;
    return j;
}

/* A layer without keys of its own needs another one's that are as its own would be. */
static bool check_kv_layer(const hparams *hp, int il, const gguf *g, lory_err *err)
{
    const hparams_layer *l = &hp->layer[il], *from = &hp->layer[l->kv_layer < 0 ? 0 : l->kv_layer];
    if (l->kv_layer >= 0 && from->n_kv_head == l->n_kv_head && from->head_dim == l->head_dim
        && from->value_dim == l->value_dim)
        return true;
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: layer %d has no keys and values, and none before it has such as it needs",
                   gguf_path(g), il);
}

static bool settle_layer(hparams *hp, int il, const gguf *g, lory_err *err)
{
    hparams_layer *l = &hp->layer[il];
    l->n_head = settled(l->n_head, hp->n_head);
    l->n_kv_head = l->n_head ? settled(l->n_kv_head, hp->n_kv_head) : 0;
    l->head_dim = settled(l->head_dim, hp->head_dim);
    l->value_dim = settled(l->value_dim, hp->value_dim);
    l->n_ff = settled(l->n_ff, hp->n_ff);
    l->kv_dim = hp->is_latent ? hp->kv_dim : l->head_dim;
    l->kv_value_dim = hp->is_latent ? hp->kv_value_dim : l->value_dim;
    l->kv_layer = find_kv_layer(hp, il);
    if (l->n_kv_head > 0 && l->n_head % l->n_kv_head != 0)
        return err_set(err, LORY_E_FORMAT,
                       "%s: %d attention heads are not a multiple of %d key/value heads",
                       gguf_path(g), l->n_head, l->n_kv_head);
    if (hp->kv_lora_rank > 0 && l->n_state == 0
        && (l->n_head != hp->n_head || l->n_kv_head != hp->n_kv_head))
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: heads of latent attention that differ from layer to layer are not "
                       "known", gguf_path(g));
    if (l->value_dim > l->head_dim)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: values of length %d beside keys of length %d are not known",
                       gguf_path(g), l->value_dim, l->head_dim);
    return check_kv_layer(hp, il, g, err);
}

bool hparams_settle(hparams *hp, const gguf *g, lory_err *err)
{
    hparams_layer most = { 0 };
    hp->n_rot_local = settled(hp->n_rot_local, hp->n_rot);
    for (int il = 0; il < hp->n_layer; il++) {
        const hparams_layer *l = &hp->layer[il];
        if (!settle_layer(hp, il, g, err)) return false;
        raise_to(&most.n_head, l->n_head);
        raise_to(&most.n_kv_head, l->n_kv_head);
        raise_to(&most.head_dim, l->head_dim);
        raise_to(&most.value_dim, l->value_dim);
        raise_to(&most.kv_dim, l->kv_dim);
        raise_to(&most.kv_value_dim, l->kv_value_dim);
        raise_to(&most.n_ff, l->n_ff);
    }
    hp->n_head = most.n_head;
    hp->n_kv_head = most.n_kv_head;
    hp->head_dim = most.head_dim;
    hp->value_dim = most.value_dim;
    hp->kv_dim = most.kv_dim;
    hp->kv_value_dim = most.kv_value_dim;
    hp->n_ff = most.n_ff;
    return true;
}
