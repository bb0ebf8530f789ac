/* cgroup.h - the limits that the control groups of this process put on it, version 1 and 2.
 * Layer: base. Every limit of a group holds for the groups inside it, so each question walks from
 * the process's own group up to the top one it can see. What cannot be read limits nothing. */
#ifndef LORY_BASE_CGROUP_H
#define LORY_BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CGROUP_PATH_MAX = 2048 }; /* bytes */

typedef struct {
    char dir[CGROUP_PATH_MAX]; /* of the process's own group; "" = none found */
    size_t top_len;            /* bytes of dir that are the mount point, where walking up ends */
    bool is_v2;
} cgroup;

/* Finds the group that has `controller` ("cpu", "memory") from the texts of /proc/self/cgroup and
 * /proc/self/mountinfo; false (and *g empty) when there is none. */
bool cgroup_find(cgroup *g, const char *controller, const char *self_cgroup, const char *mountinfo);
/* The same from those files. */
bool cgroup_open(cgroup *g, const char *controller);

/* Cores' worth of time that "QUOTA PERIOD" allows: "150000 100000" is 1.5; INFINITY when QUOTA
 * is "max" or negative or the text makes no sense. */
double cgroup_parse_quota(const char *text);
/* The number after `key` at the start of a line ("inactive_file 4096"), or 0. */
uint64_t cgroup_parse_stat(const char *text, const char *key);

double cgroup_cpu_quota(const cgroup *g);          /* cores; INFINITY = no limit */
uint64_t cgroup_memory_limit(const cgroup *g);     /* bytes; UINT64_MAX = no limit */
uint64_t cgroup_memory_available(const cgroup *g); /* limit - use, file pages not counted */

#endif
