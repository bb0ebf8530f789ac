/* model.h - a weight file that is ready to run: mapped, checked, its tensors bound to roles.
 * Layer: model. Immutable once open; shared by any number of sessions. */
#ifndef LORY_MODEL_MODEL_H
#define LORY_MODEL_MODEL_H

#include "gguf/gguf.h"
#include "model/arch.h"
#include "model/hparams.h"
#include "model/weights.h"
#include "token/tokenizer.h"

typedef struct {
    gguf file;
    tokenizer tok;
    bool has_tokenizer;
    const lory_arch *arch; /* NULL: the file can't run, and why_not says why */
    hparams hp;            /* meaningful with arch, like the rest */
    weights w;
    double *inv_freq;      /* [n_rot / 2] */
    float rope_magnitude;
    lory_err why_not;
    char *arch_name, *name; /* general.architecture and general.name; "" when absent */
    mem_arena arena;
} model;

/* A file without tensors, or of an architecture that lory does not know, opens with arch == NULL,
 * so that its tokenizer can be used; everything else that is wrong fails. */
bool model_open(model *m, const char *path, const lory_model_params *p, lory_err *err);
void model_close(model *m);

/* The known architectures, ended by NULL. */
extern const lory_arch *const archs[];

#endif
