/* interrupt.c - Ctrl-C; see cli.h. The handler only sets flags and leaves; lory_session_interrupt
 * is made for signal handlers. */
#include "cli/cli.h"
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t n_interrupts, is_kept;
static lory_session *volatile running;
static lory_batch *volatile running_batch;

static void on_interrupt(int sig)
{
    (void)sig;
    if (n_interrupts > 0 && !is_kept) _exit(EXIT_INTERRUPTED);
    n_interrupts = 1;
    if (running) lory_session_interrupt(running);
    if (running_batch) lory_batch_interrupt(running_batch);
}

static void catch_interrupts(void)
{
    static bool is_caught;
    struct sigaction now, on = { .sa_handler = on_interrupt }; /* no SA_RESTART: a read ends too */
    if (is_caught) return;
    is_caught = true;
    sigemptyset(&on.sa_mask);
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
        sigaction(SIGINT, &on, NULL);
}

void cli_catch_interrupt(lory_session *s)
{
    running = s;
    catch_interrupts();
}

void cli_catch_batch_interrupt(lory_batch *b)
{
    running_batch = b;
    catch_interrupts();
}

bool cli_interrupted(void)
{
    return n_interrupts > 0;
}

void cli_keep_on_interrupt(void)
{
    is_kept = 1;
}

bool cli_take_interrupt(void)
{
    bool was = n_interrupts > 0;
    n_interrupts = 0;
    return was;
}
