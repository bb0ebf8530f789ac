/* plan_text.h - a plan for people: a line a step, layers that are alike once.
 * Layer: engine. */
#ifndef LORY_ENGINE_PLAN_TEXT_H
#define LORY_ENGINE_PLAN_TEXT_H

#include "engine/plan.h"

/* Calls on_step for each line, in the order of the plan. LORY_E_MEMORY. */
bool plan_describe(const plan *p, const model *m, lory_on_plan_step on_step, void *user,
                   lory_err *err);

#endif
