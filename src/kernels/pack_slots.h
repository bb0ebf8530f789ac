/* pack_slots.h - a panel of 16 rows of every quantised type, ROWS at a time.
 * Layer: kernels. Not a header: avx2_pack.c, avx512_pack.c and neon_pack.c include it once, after
 * pack_rows.h. */

#define PACK(fn)                                                                                   \
    static void fn##_panel(const pack_args *a)                                                     \
    {                                                                                              \
        const qtype_row *t = &qtypes[a->type];                                                     \
        size_t ib = (size_t)(a->ig0 / (t->block_elems / QT_GROUP));                                \
        const uint8_t *p = (const uint8_t *)a->w + ib * (size_t)t->block_bytes;                    \
        uint8_t *to = a->panel;                                                                    \
        for (size_t r = 0; r < PANEL_ROWS; r += ROWS)                                              \
            fn(a, p + r * a->row_bytes, a->row_bytes, to + 4 * r);                                 \
    }
PACK(pack_q4_0)
PACK(pack_q4_1)
PACK(pack_q5_0)
PACK(pack_q5_1)
PACK(pack_q8_0)
PACK(pack_iq4_nl)
PACK(pack_mxfp4)
PACK(pack_nvfp4)
PACK(pack_q1_0)
PACK(pack_q2_0)
PACK(pack_q2_k)
PACK(pack_q3_k)
PACK(pack_q4_k)
PACK(pack_q5_k)
PACK(pack_q6_k)
PACK(pack_iq4_xs)
PACK(pack_tq2_0)
PACK(pack_tq1_0)
PACK(pack_iq2_xxs)
PACK(pack_iq2_xs)
PACK(pack_iq2_s)
PACK(pack_iq3_xxs)
PACK(pack_iq3_s)
PACK(pack_iq1_s)
PACK(pack_iq1_m)
#undef PACK

#define PACK_SLOTS                                                                                 \
    {                                                                                              \
        [QT_Q4_0] = pack_q4_0_panel, [QT_Q4_1] = pack_q4_1_panel, [QT_Q5_0] = pack_q5_0_panel,     \
        [QT_Q5_1] = pack_q5_1_panel, [QT_Q8_0] = pack_q8_0_panel, [QT_Q2_K] = pack_q2_k_panel,     \
        [QT_Q3_K] = pack_q3_k_panel, [QT_Q4_K] = pack_q4_k_panel, [QT_Q5_K] = pack_q5_k_panel,     \
        [QT_Q6_K] = pack_q6_k_panel, [QT_IQ1_S] = pack_iq1_s_panel, [QT_IQ1_M] = pack_iq1_m_panel, \
        [QT_IQ2_XXS] = pack_iq2_xxs_panel, [QT_IQ2_XS] = pack_iq2_xs_panel,                        \
        [QT_IQ2_S] = pack_iq2_s_panel, [QT_IQ3_XXS] = pack_iq3_xxs_panel,                          \
        [QT_IQ3_S] = pack_iq3_s_panel, [QT_IQ4_NL] = pack_iq4_nl_panel,                            \
        [QT_IQ4_XS] = pack_iq4_xs_panel, [QT_TQ1_0] = pack_tq1_0_panel,                            \
        [QT_TQ2_0] = pack_tq2_0_panel, [QT_MXFP4] = pack_mxfp4_panel,                              \
        [QT_NVFP4] = pack_nvfp4_panel, [QT_Q1_0] = pack_q1_0_panel, [QT_Q2_0] = pack_q2_0_panel    \
    }
