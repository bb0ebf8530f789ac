/* cgroup.c - see cgroup.h. Formats: proc(5), cgroups(7), the kernel's cgroup-v2.rst. */
#include "base/cgroup.h"
#include "base/buf.h"
#include "base/file.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 1024, LINE_BYTES = 8192, FILE_MAX = 16 << 20 };

/* ---- the texts of /proc -------------------------------------------------------------------- */

/* Copies a line, cut to fit; returns the text after it, or NULL at the end. */
static const char *take_line(const char *text, char line[LINE_BYTES])
{
    if (!*text) return NULL;
    size_t n = strcspn(text, "\n"), kept = n < LINE_BYTES ? n : LINE_BYTES - 1;
    memcpy(line, text, kept);
    line[kept] = '\0';
    return text + n + (text[n] == '\n');
}

/* Whether a list as "rw,cpu,cpuacct" has the word. */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',')) {
        if (*p == ',') p++;
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0')) return true;
    }
    return false;
}

/* The group's path from lines "ID:CONTROLLERS:PATH"; version 2 has no controllers there. */
static bool own_path(const char *self_cgroup, const char *controller, bool is_v2,
                     char path[PATH_BYTES])
{
    char line[LINE_BYTES];
    for (const char *p = self_cgroup; (p = take_line(p, line));) {
        char *list = strchr(line, ':'), *end = list ? strchr(list + 1, ':') : NULL;
        if (!end || end[1] != '/' || strlen(end + 1) >= PATH_BYTES) continue;
        *end = '\0';
        if (is_v2 ? list[1] != '\0' : !has_word(list + 1, controller)) continue;
        strcpy(path, end + 1);
        return true;
    }
    return false;
}

/* A line of mountinfo: "36 35 98:0 ROOT MOUNT_POINT rw,noatime shared:1 - TYPE SOURCE OPTIONS". */
typedef struct {
    char root[PATH_BYTES], point[PATH_BYTES], type[32], options[PATH_BYTES];
} mount;

static bool parse_mount(const char *line, mount *m)
{
    const char *dash = strstr(line, " - ");
    return dash && sscanf(line, "%*s %*s %*s %1023s %1023s", m->root, m->point) == 2
           && sscanf(dash + 3, "%31s %*s %1023s", m->type, m->options) == 2;
}

static bool find_mount(const char *mountinfo, const char *controller, bool is_v2, mount *m)
{
    char line[LINE_BYTES];
    for (const char *p = mountinfo; (p = take_line(p, line));) {
        if (!parse_mount(line, m) || strcmp(m->type, is_v2 ? "cgroup2" : "cgroup") != 0) continue;
        if (is_v2 || has_word(m->options, controller)) return true;
    }
    return false;
}

/* The part of a group's path below the root that is mounted: a container may see a sub-tree of
 * which it knows the outer name, or be outside of what it sees; then the mount point stands. */
static const char *below(const char *path, const char *root)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0')) return "";
    if (strcmp(path + n, "/") == 0 || strstr(path + n, "/..")) return "";
    return path + n;
}

bool cgroup_find(cgroup *g, const char *controller, const char *self_cgroup, const char *mountinfo)
{
    char path[PATH_BYTES];
    mount m;
    *g = (cgroup){ 0 };
    /* A controller is in one hierarchy: version 1 where its mount names it, else version 2. */
    for (int is_v2 = 0; is_v2 < 2; is_v2++) {
        if (!find_mount(mountinfo, controller, is_v2, &m)
            || !own_path(self_cgroup, controller, is_v2, path))
            continue;
        snprintf(g->dir, sizeof g->dir, "%s%s", m.point, below(path, m.root));
        g->top_len = strlen(m.point);
        g->is_v2 = is_v2;
        return true;
    }
    return false;
}

bool cgroup_open(cgroup *g, const char *controller)
{
    buf groups = { 0 }, mounts = { 0 };
    *g = (cgroup){ 0 };
    bool ok = file_read("/proc/self/cgroup", FILE_MAX, &groups, NULL)
              && file_read("/proc/self/mountinfo", FILE_MAX, &mounts, NULL) && groups.len > 0
              && mounts.len > 0 && cgroup_find(g, controller, groups.data, mounts.data);
    buf_free(&groups);
    buf_free(&mounts);
    return ok;
}

/* ---- the files of a group ------------------------------------------------------------------ */

/* "-1 100000" is version 1's way to say that there is none. */
double cgroup_parse_quota(const char *text)
{
    long long quota, period;
    if (sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return INFINITY;
    return (double)quota / (double)period;
}

uint64_t cgroup_parse_stat(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; p; p = strchr(p, '\n')) {
        if (*p == '\n') p++;
        if (strncmp(p, key, n) == 0 && p[n] == ' ') return strtoull(p + n, NULL, 10);
    }
    return 0;
}

/* Appends the file of a group; what cannot be read appends nothing. */
static void read_at(const char *dir, const char *name, buf *out)
{
    char path[CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    file_read(path, FILE_MAX, out, NULL);
}

static uint64_t read_number(const char *dir, const char *name, uint64_t otherwise)
{
    buf b = { 0 };
    read_at(dir, name, &b);
    uint64_t value = otherwise;
    if (b.len > 0 && b.data[0] >= '0' && b.data[0] <= '9') value = strtoull(b.data, NULL, 10);
    buf_free(&b);
    return value;
}

static double quota_of(const char *dir, bool is_v2)
{
    buf b = { 0 };
    if (is_v2)
        read_at(dir, "cpu.max", &b);
    else {
        read_at(dir, "cpu.cfs_quota_us", &b);
        read_at(dir, "cpu.cfs_period_us", &b);
    }
    double cores = b.len > 0 ? cgroup_parse_quota(b.data) : INFINITY;
    buf_free(&b);
    return cores;
}

static uint64_t limit_of(const char *dir, bool is_v2)
{
    return read_number(dir, is_v2 ? "memory.max" : "memory.limit_in_bytes", UINT64_MAX);
}

/* File pages count as used until someone needs the room. */
static uint64_t left_of(const char *dir, bool is_v2)
{
    uint64_t limit = limit_of(dir, is_v2);
    if (limit == UINT64_MAX) return limit;
    buf b = { 0 };
    uint64_t used = read_number(dir, is_v2 ? "memory.current" : "memory.usage_in_bytes", 0);
    read_at(dir, "memory.stat", &b);
    if (b.len > 0) {
        uint64_t files = cgroup_parse_stat(b.data, is_v2 ? "inactive_file" : "total_inactive_file")
                         + cgroup_parse_stat(b.data, is_v2 ? "active_file" : "total_active_file");
        used = used > files ? used - files : 0;
    }
    buf_free(&b);
    return limit > used ? limit - used : 0;
}

/* Cuts the last name off; false at the top. */
static bool go_up(cgroup *g)
{
    char *slash = strrchr(g->dir, '/');
    if (!slash || (size_t)(slash - g->dir) < g->top_len) return false;
    *slash = '\0';
    return true;
}

static uint64_t least_bytes(const cgroup *g, uint64_t (*of)(const char *dir, bool is_v2))
{
    cgroup at = *g;
    uint64_t least = UINT64_MAX;
    if (!g->dir[0]) return least;
    do {
        uint64_t n = of(at.dir, at.is_v2);
        if (n < least) least = n;
    } while (go_up(&at));
    return least;
}

double cgroup_cpu_quota(const cgroup *g)
{
    cgroup at = *g;
    double least = INFINITY;
    if (!g->dir[0]) return least;
    do least = fmin(least, quota_of(at.dir, at.is_v2));
    while (go_up(&at));
    return least;
}

uint64_t cgroup_memory_limit(const cgroup *g)
{
    return least_bytes(g, limit_of);
}

uint64_t cgroup_memory_available(const cgroup *g)
{
    return least_bytes(g, left_of);
}
