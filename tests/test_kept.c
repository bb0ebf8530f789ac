/* test_kept.c - what was worked out from the last few texts. */
#include "cli/kept.h"
#include "test.h"
#include <stdio.h>

static int n_freed;

static void note_free(void *value)
{
    *(int *)value = -1;
    n_freed++;
}

static buf key_of(int i)
{
    buf key = { 0 };
    buf_printf(&key, "text %d", i);
    return key;
}

static void *find(kept *k, int i)
{
    buf key = key_of(i);
    void *value = kept_find(k, &key);
    buf_free(&key);
    return value;
}

TEST(what_was_used_longest_ago_makes_place)
{
    static int value[KEPT_MAX + 2];
    kept k = { .free_value = note_free };
    for (int i = 0; i < KEPT_MAX; i++) {
        buf key = key_of(value[i] = i);
        kept_put(&k, &key, &value[i]);
        CHECK(!key.data, "the key was taken");
    }
    CHECK(find(&k, 0) == &value[0] && n_freed == 0, "the first is used again");
    for (int i = KEPT_MAX; i < KEPT_MAX + 2; i++) {
        buf key = key_of(value[i] = i);
        kept_put(&k, &key, &value[i]);
    }
    CHECK(n_freed == 2 && value[1] == -1 && value[2] == -1, "%d freed", n_freed);
    CHECK(!find(&k, 1) && !find(&k, 2) && find(&k, 0) == &value[0]);
    for (int i = 3; i < KEPT_MAX + 2; i++) CHECK(find(&k, i) == &value[i], "%d", i);
    kept_free(&k);
    CHECK(n_freed == KEPT_MAX + 2, "%d freed", n_freed);
}
