/* work.h - counts the least that evaluating tokens makes a machine do: the roofline's numerators.
 * Layer: engine. */
#ifndef LORY_ENGINE_WORK_H
#define LORY_ENGINE_WORK_H

#include "model/model.h"

/* lory_model_work of lory.h. */
void work_count(const model *m, const lory_session_params *p, int n_tokens, int depth,
                lory_work *work);

#endif
