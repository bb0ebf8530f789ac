/* store.h - training in files: checkpoints that go on bit by bit, weights to and from GGUF. */
#ifndef LORY_TRAINER_STORE_H
#define LORY_TRAINER_STORE_H

#include "gguf/gguf.h"
#include "trainer.h"

/* Writes weights, moments, averages and places. It appears whole or not at all. */
bool store_checkpoint(trainer *t, const char *path, lory_err *err);
/* Reads one of a trainer of the same shape and number of sources. On failure t is unusable. */
bool store_resume(trainer *t, const char *path, lory_err *err);

typedef struct {
    const char *name, *author, *licence, *description; /* NULL = no such key */
} store_about;
/* Writes the model as f32: the averages of the weights when with_average, else the weights. The
 * keys tokenizer.* are those of vocab. */
bool store_model(trainer *t, bool with_average, const gguf *vocab, const store_about *about,
                 const char *path, lory_err *err);
/* Takes the weights of a model that store_model wrote; its shape must be t's. */
bool store_read_weights(trainer *t, const char *path, lory_err *err);

#endif
