/* limits.h - measures what bounds the engine on this machine: memory reads, multiply-adds.
 * Layer: engine. Public as lory_meter, whose functions these are: see lory.h. */
#ifndef LORY_ENGINE_LIMITS_H
#define LORY_ENGINE_LIMITS_H

#include "lory.h"

lory_meter *limits_open(int n_threads, lory_err *err);
void limits_close(lory_meter *m);
lory_machine_limits limits_best(const lory_meter *m);
lory_machine_limits limits_now(lory_meter *m);

#endif
