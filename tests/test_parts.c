/* test_parts.c - rows of products that threads take as they come to them: each exactly once. */
#include "base/team.h"
#include "engine/parts.h"
#include "test.h"
#include <string.h>

enum { N_THREADS = 4, MOST_ROWS = 2048 };

typedef struct {
    team *team;
    const plan_step *step;
    int parts;    /* see parts_taker */
    int n_offers; /* threads that offer their share; the others come too late */
    _Alignas(64) parts_left left[N_THREADS];
    atomic_int n_taken[PLAN_MAX_FUSED][MOST_ROWS];
    atomic_int n_bad;
} taking;

static void take_all(void *arg, int ith, int nth)
{
    taking *t = arg;
    parts_taker by = { .ith = ith, .nth = nth, .least = PARTS_PAIR, .parts = t->parts };
    rows_part p;
    bool had_others = false;
    int last = -1;
    parts_offer_rows(t->left, t->step, ith, nth);
    team_barrier(t->team);
    if (ith >= t->n_offers) return;
    while (parts_take_rows(t->left, t->step, &by, &p)) {
        int at = p.i * MOST_ROWS + p.r0;
        bool is_good = p.r0 % PANEL_ROWS == 0 && p.r1 % PANEL_ROWS == 0 && p.r0 < p.r1;
        is_good &= p.end % PANEL_ROWS == 0 && p.r1 <= p.end && p.end <= t->step->w[p.i]->n_rows;
        if (!by.is_others) is_good &= !had_others && at > last;
        if (!is_good) atomic_fetch_add(&t->n_bad, 1);
        had_others |= by.is_others;
        last = at;
        for (int r = p.r0; r < p.r1; r++) atomic_fetch_add(&t->n_taken[p.i][r], 1);
    }
}

/* Products of so many rows each, 0 = none; n_takers of the threads take them all. */
static void check_taken(const int n_rows[PLAN_MAX_FUSED], int n_takers, int parts, uint8_t then)
{
    static taking t;
    weight w[PLAN_MAX_FUSED] = { 0 };
    plan_step s = { .op = OP_MATMUL, .then = then };
    memset(&t, 0, sizeof t);
    for (; s.n_matmul < PLAN_MAX_FUSED && n_rows[s.n_matmul] > 0; s.n_matmul++) {
        w[s.n_matmul].n_rows = n_rows[s.n_matmul];
        s.w[s.n_matmul] = &w[s.n_matmul];
    }
    REQUIRE(parts_are_units(&s) && (t.team = team_new(N_THREADS, NULL)));
    t.step = &s;
    t.parts = parts;
    t.n_offers = n_takers;
    for (int run = 0; run < 20; run++) team_run(t.team, take_all, &t);
    team_free(t.team);
    CHECK(t.n_bad == 0);
    for (int i = 0; i < s.n_matmul; i++)
        for (int r = 0; r < n_rows[i]; r++)
            CHECK(t.n_taken[i][r] == (then && i > 0 ? 0 : 20), "product %d, row %d", i, r);
}

static void check_shapes(int n_takers, int parts)
{
    check_taken((const int[PLAN_MAX_FUSED]){ 576, 192, 192 }, n_takers, parts, OP_END);
    check_taken((const int[PLAN_MAX_FUSED]){ 1536, 1536 }, n_takers, parts, OP_SILU_MUL);
    check_taken((const int[PLAN_MAX_FUSED]){ 16 }, n_takers, parts, OP_END); /* most have none */
    check_taken((const int[PLAN_MAX_FUSED]){ 48, 16, 16, 2048 }, n_takers, parts, OP_END);
}

TEST(parts_every_row_is_taken_once)
{
    for (int n_takers = 1; n_takers <= N_THREADS; n_takers++) {
        check_shapes(n_takers, 2);
        check_shapes(n_takers, 8);
    }
}

TEST(parts_rows_of_half_a_panel_are_not_taken)
{
    weight w[2] = { { .n_rows = 64 }, { .n_rows = 72 } };
    plan_step s = { .op = OP_MATMUL, .n_matmul = 2, .w = { &w[0], &w[1] } };
    CHECK(!parts_are_units(&s));
    s.n_matmul = 1;
    CHECK(parts_are_units(&s));
}

/* ---- things taken one by one ----------------------------------------------------------------- */

typedef struct {
    int n, n_deals;
    team *team;
    _Alignas(64) parts_left left[N_THREADS];
    atomic_int n_taken[100];
} dealing;

static void take_dealt(void *arg, int ith, int nth)
{
    dealing *d = arg;
    parts_deal(d->left, ith, nth, d->n);
    team_barrier(d->team);
    if (ith >= d->n_deals) return;
    for (int i; parts_take_one(d->left, ith, nth, &i);) atomic_fetch_add(&d->n_taken[i], 1);
}

TEST(parts_everything_dealt_is_taken_once)
{
    static dealing d;
    REQUIRE((d.team = team_new(N_THREADS, NULL)));
    for (d.n = 0; d.n < 100; d.n += d.n < 12 ? 1 : 29)
        for (d.n_deals = 1; d.n_deals <= N_THREADS; d.n_deals++) {
            for (int i = 0; i < 100; i++) atomic_store(&d.n_taken[i], 0);
            team_run(d.team, take_dealt, &d);
            for (int i = 0; i < 100; i++) CHECK(d.n_taken[i] == (i < d.n), "%d of %d", i, d.n);
        }
    team_free(d.team);
}
