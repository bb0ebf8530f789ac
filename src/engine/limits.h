/* limits.h - measures what bounds the engine on this machine: memory reads, multiply-adds.
 * Layer: engine. */
#ifndef LORY_ENGINE_LIMITS_H
#define LORY_ENGINE_LIMITS_H

#include "lory.h"

/* Takes about half a second and 256 MB for a moment. n_threads 0 = the default. */
bool limits_measure(int n_threads, lory_machine_limits *limits, lory_err *err);

#endif
