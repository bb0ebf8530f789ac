/* kept.h - what was worked out from the last few texts, for those who ask for the same again.
 * Layer: cli. One thread. */
#ifndef LORY_CLI_KEPT_H
#define LORY_CLI_KEPT_H

#include "base/buf.h"
#include <stdint.h>

enum { KEPT_MAX = 16 };

typedef struct {
    void (*free_value)(void *value);
    struct {
        buf key;
        void *value;
        uint64_t last_use;
    } item[KEPT_MAX];
    size_t n;
    uint64_t n_uses;
} kept; /* zeroed but for free_value = empty; free with kept_free */

void kept_free(kept *k);
/* NULL: nothing is kept for that text. */
void *kept_find(kept *k, const buf *key);
/* Takes the key and the value, in the place of the one that was used longest ago. */
void kept_put(kept *k, buf *key, void *value);

#endif
