/* bundled.h - where the model that comes with lory is: beside the binary, in the build tree, or
 * where it was installed.
 * Layer: cli. */
#ifndef LORY_CLI_BUNDLED_H
#define LORY_CLI_BUNDLED_H

#include "lory.h"
#include <stdbool.h>

enum { BUNDLED_PATH_MAX = 4096 };

/* Finds the bundled model. On failure *err (LORY_E_IO) says where it was looked for. */
bool bundled_find(char path[BUNDLED_PATH_MAX], lory_err *err);

#endif
