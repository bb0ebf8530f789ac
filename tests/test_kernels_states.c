/* test_kernels_states.c - the slots of linear recurrences: the same bits on every instruction set,
 * near the exact ones. */
#include "base/mem.h"
#include "kernel_inputs.h"
#include "test.h"
#include <math.h>

enum { N_KEY = 7, MOST = 160 };

/* The recurrence in doubles: y [n], and the state [N_KEY, ld] after it. */
static void exact_dplr(const dplr_args *a, double *state, double *y)
{
    for (int j = 0; j < a->n; j++) {
        double m = 0.0;
        y[j] = 0.0;
        for (int i = 0; a->a && i < N_KEY; i++)
            m += (double)a->state[(size_t)i * a->ld + (size_t)j] * (double)a->a[i];
        for (int i = 0; i < N_KEY; i++) {
            double *s = &state[(size_t)i * a->ld + (size_t)j];
            *s = (double)a->state[(size_t)i * a->ld + (size_t)j] * (double)a->w[i]
                 + (a->b ? m * (double)a->b[i] : 0.0) + (double)a->k[i] * (double)a->v[j];
            y[j] += a->q ? *s * (double)a->q[i] : 0.0;
        }
        if (!a->q) y[j] = m;
    }
}

/* removes: with the product of two vectors; sees_after: queries see what the token adds. */
static void check_dplr(int n, bool removes, bool sees_after)
{
    isa list[8];
    const int n_list = usable_isas(list);
    const size_t ld = (size_t)n + 1, n_out = ld * N_KEY + (size_t)n;
    double state[N_KEY * (MOST + 1)], y[MOST];
    float *x = floats(5 * N_KEY + (size_t)n), *first = floats(n_out), *want = floats(n_out);
    float *got = floats(n_out);
    dplr_args a = { n, N_KEY, x, removes || !sees_after ? x + N_KEY : NULL,
                    removes ? x + 2 * N_KEY : NULL, x + 3 * N_KEY,
                    sees_after ? x + 4 * N_KEY : NULL, x + 5 * N_KEY, want, ld,
                    want + ld * N_KEY };
    for (int i = 0; i < 5 * N_KEY + n; i++) x[i] *= 0.2f;
    memcpy(want, first, n_out * sizeof *want);
    exact_dplr(&a, state, y);
    generic()->dplr(&a);
    for (int j = 0; j < n; j++) {
        CHECK(fabs(y[j] - (double)a.y[j]) < 1e-4 * (10.0 + fabs(y[j])), "n %d: y[%d]", n, j);
        CHECK(fabs(state[ld + (size_t)j] - (double)want[ld + (size_t)j])
                  < 1e-5 * (10.0 + fabs(state[ld + (size_t)j])), "n %d", n);
    }
    a.state = got, a.y = got + ld * N_KEY;
    for (int k = 0; k < n_list; k++) {
        memcpy(got, first, n_out * sizeof *got);
        list[k].kn.dplr(&a);
        CHECK_SAME(got, want, n_out * sizeof *got, "dplr of isa %s, n %d", list[k].name, n);
    }
    mem_free(x), mem_free(first), mem_free(want), mem_free(got);
}

TEST(linear_recurrences_are_the_same_on_every_isa_and_near_the_exact_ones)
{
    for (int n = 1; n < 140; n += n < 70 ? 3 : 17) {
        check_dplr(n, true, true);
        check_dplr(n, false, true);
        check_dplr(n, false, false);
    }
}
