/* jinja_lex.h - a template's text as tokens: what is text, what is between the braces, and which
 * blanks around a tag go (trim_blocks and lstrip_blocks are on, as chat templates expect).
 * Layer: chat. The tokens live in the template's arena and point into its source. */
#ifndef LORY_CHAT_JINJA_LEX_H
#define LORY_CHAT_JINJA_LEX_H

#include "base/err.h"
#include "base/mem.h"
#include "lory.h"

typedef enum {
    TK_EOF,
    TK_DATA,
    TK_VAR_BEGIN,
    TK_VAR_END,
    TK_BLOCK_BEGIN,
    TK_BLOCK_END,
    TK_NAME,
    TK_STRING,
    TK_INT,
    TK_BIG,
    TK_FLOAT,
    TK_ADD,
    TK_SUB,
    TK_DIV,
    TK_FLOORDIV,
    TK_MUL,
    TK_MOD,
    TK_POW,
    TK_TILDE,
    TK_LBRACKET,
    TK_RBRACKET,
    TK_LPAREN,
    TK_RPAREN,
    TK_LBRACE,
    TK_RBRACE,
    TK_EQ,
    TK_NE,
    TK_GT,
    TK_GE,
    TK_LT,
    TK_LE,
    TK_ASSIGN,
    TK_DOT,
    TK_COLON,
    TK_PIPE,
    TK_COMMA,
    TK_SEMICOLON,
} jtoken_kind;

typedef struct {
    jtoken_kind kind;
    uint32_t at;   /* byte of the source */
    const char *s; /* [n] DATA: the text; NAME; STRING: unescaped; BIG: decimal digits */
    size_t n;
    int64_t i; /* INT */
    double f;  /* FLOAT */
} jtoken;

typedef struct {
    const char *s; /* [n] with line ends as \n */
    size_t n;
    const char *name;
    mem_arena *arena;
    lory_err *err;
    jtoken *token; /* [n_token], the last is EOF */
    size_t n_token, cap;
    size_t at;
    char open[256]; /* brackets that wait for their end */
    int n_open;
} jlexer;

/* Fills lx->token. LORY_E_FORMAT with line and column when the text is no template. */
bool jinja_lex(jlexer *lx);

/* Line and column, counted from 1, the column in characters. */
void jlex_place(const char *s, size_t n, size_t at, size_t *line, size_t *column);

#endif
