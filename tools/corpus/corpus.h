/* corpus.h - the texts of the corpus folder become the files that models are trained and measured
 * on: reads the sources, sets apart what is held back, and runs each source through its part.
 * Part of tools/make_corpus. */
#ifndef LORY_TOOLS_CORPUS_CORPUS_H
#define LORY_TOOLS_CORPUS_CORPUS_H

#include "lory.h"
#include <stdint.h>
#include <stdio.h>

enum { CORPUS_MAX_RENAMED = 16 };

typedef struct {
    const char *from, *to; /* folders: of the sources, and for the files */
    uint64_t seed;         /* of every draw */
    long n_renamed;        /* variants of the stories with other names */
    FILE *log;             /* gets a line about each file; may be NULL */
} corpus_job;

/* Writes all files; which, and what they hold, says make_corpus --help. The same sources and job
 * give the same bytes. */
bool corpus_make(const corpus_job *j, lory_err *err);

#endif
