/* interrupt.c - Ctrl-C, and mapped files that are cut short; see cli.h. The handlers do only what
 * signal handlers may; lory_session_interrupt is made for them. */
#include "cli/cli.h"
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static volatile sig_atomic_t n_interrupts, is_watched, is_kept;
static lory_session *volatile running;
static lory_batch *volatile running_batch;

static void (*volatile last_act)(void);

void cli_before_sudden_end(void (*act)(void))
{
    last_act = act;
}

static _Noreturn void end_now(int status)
{
    if (last_act) last_act();
    _exit(status);
}

static void on_interrupt(int sig)
{
    (void)sig;
    if (!is_watched || (n_interrupts > 0 && !is_kept)) end_now(EXIT_INTERRUPTED);
    n_interrupts = 1;
    if (running) lory_session_interrupt(running);
    if (running_batch) lory_batch_interrupt(running_batch);
}

static void catch_signal(int sig)
{
    struct sigaction now, on = { .sa_handler = on_interrupt }; /* no SA_RESTART: a read ends too */
    sigemptyset(&on.sa_mask);
    if (sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_IGN) sigaction(sig, &on, NULL);
}

void cli_catch_termination(void)
{
    catch_signal(SIGTERM);
}

void cli_catch_interrupt(lory_session *s)
{
    running = s;
    is_watched = 1;
}

void cli_catch_batch_interrupt(lory_batch *b)
{
    running_batch = b;
    is_watched = 1;
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

bool cli_wait_to_read(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT), sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, &before);
    if (!cli_interrupted()) ppoll(&p, 1, NULL, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !cli_interrupted();
}

static atomic_flag is_told = ATOMIC_FLAG_INIT;

#define LOST "lory: a mapped file was cut short, or cannot be read any more, while it was in use"
static const char lost[] = LOST "\n";
static const char lost_model[] = LOST " (--no-mmap reads it into memory first)\n";
static volatile sig_atomic_t can_copy;

void cli_advise_no_mmap(void)
{
    can_copy = 1;
}

/* Reading a page of a mapped file that is not there any more. */
static void on_lost_page(int sig, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code != BUS_ADRERR) {
        signal(sig, SIG_DFL);
        return; /* to the same instruction, which ends the program now */
    }
    if (atomic_flag_test_and_set(&is_told)) /* by another thread, which ends the program */
        for (;;) pause();
    ssize_t n = can_copy ? write(STDERR_FILENO, lost_model, sizeof lost_model - 1)
                         : write(STDERR_FILENO, lost, sizeof lost - 1);
    (void)n; /* nobody is left to tell */
    end_now(EXIT_FAILED);
}

void cli_catch_signals(void)
{
    struct sigaction on = { .sa_sigaction = on_lost_page, .sa_flags = SA_SIGINFO };
    catch_signal(SIGINT);
    sigemptyset(&on.sa_mask);
    sigaction(SIGBUS, &on, NULL);
}
