/* test_log.c - one callback, none by default. */
#include "base/log.h"
#include "test.h"

static char last[LORY_ERR_MAX];
static int n_called;

static void keep(void *user, log_level level, const char *text)
{
    n_called += *(int *)user;
    snprintf(last, sizeof last, "%d %s", (int)level, text);
}

TEST(log_calls_back_when_asked_to)
{
    int one = 1;
    log_text(LOG_WARN, "nobody %s", "listens");
    log_set(keep, &one);
    log_text(LOG_WARN, "%d layers", 32);
    CHECK(n_called == 1);
    CHECK_STR(last, "2 32 layers");
    log_set(NULL, NULL);
    log_text(LOG_WARN, "gone");
    CHECK(n_called == 1);
}
