/* timer.h - a monotonic clock.
 * Layer: base. */
#ifndef LORY_BASE_TIMER_H
#define LORY_BASE_TIMER_H

/* Seconds since some fixed moment. */
double timer_now(void);
/* Seconds of processor time that this thread has taken: what others take does not count. */
double timer_thread(void);

#endif
