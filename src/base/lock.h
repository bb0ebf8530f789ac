/* lock.h - one thread at a time.
 * Layer: base. A lock is owned by what it guards. */
#ifndef LORY_BASE_LOCK_H
#define LORY_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

typedef struct {
    pthread_mutex_t m;
} lock;

static inline bool lock_init(lock *l)
{
    return pthread_mutex_init(&l->m, NULL) == 0;
}

static inline void lock_free(lock *l)
{
    pthread_mutex_destroy(&l->m);
}

static inline void lock_take(lock *l)
{
    pthread_mutex_lock(&l->m);
}

static inline void lock_give(lock *l)
{
    pthread_mutex_unlock(&l->m);
}

#endif
