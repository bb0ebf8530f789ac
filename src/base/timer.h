/* timer.h - a monotonic clock.
 * Layer: base. */
#ifndef LORY_BASE_TIMER_H
#define LORY_BASE_TIMER_H

/* Seconds since some fixed moment. */
double timer_now(void);

#endif
