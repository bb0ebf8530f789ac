/* main.c - the table of commands, and the way in and out of the program.
 *
 * To add a command:
 *   1. src/cli/cmd_x.c: an options struct, its rows, `int cmd_x(int argc, char **argv)`
 *   2. its prototype at the foot of cli.h
 *   3. a row below: `lory help` and unknown-command hints follow from it
 *   4. tests/cli/x_*.sh with what it must print; a section in tools/lory.1
 * Layer: cli. */
#include "cli/cli.h"
#include <string.h>

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} command;

static int cmd_help(int argc, char **argv);

static const command commands[] = {
    { "run", cmd_run, "complete a prompt and stream the text" },
    { "chat", cmd_chat, "talk with a model" },
    { "batch", cmd_batch, "answer every line of a JSONL file" },
    { "tokenize", cmd_tokenize, "turn text into token ids, and back" },
    { "template", cmd_template, "render a chat template over a JSON conversation" },
    { "grammar", cmd_grammar, "check a text against a grammar" },
    { "logits", cmd_logits, "print the logits after given tokens" },
    { "eval", cmd_eval, "score a text: perplexity, bits per byte, KL divergence" },
    { "inspect", cmd_inspect, "show what a weight file has, and the memory it takes" },
    { "convert", cmd_convert, "make a GGUF file of a Hugging Face folder, llama2.c or GGUF file" },
    { "quantize", cmd_quantize, "write the weights of a GGUF file in another type or mix" },
    { "imatrix", cmd_imatrix, "measure which weights matter, for quantize" },
    { "bench", cmd_bench, "measure speed beside the machine's limits" },
    { "help", cmd_help, "this page, or the page of a command" },
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static const command *find_command(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *best = "--version", *dot = strrchr(name, '.');
    if (opts_distance(name, "--help") < opts_distance(name, best)) best = "--help";
    for (int i = 0; i < N_COMMANDS; i++)
        if (opts_distance(name, commands[i].name) < opts_distance(name, best))
            best = commands[i].name;
    if (dot && strcmp(dot, ".gguf") == 0)
        return cli_usage("%.64s: no such command (expected one before a weight file: lory run -m "
                         "FILE, lory inspect FILE; lory help lists them)",
                         name);
    if (*name == '-' && *best != '-')
        return cli_usage("%.64s: options come behind the command (lory COMMAND --help lists them)",
                         name);
    return cli_usage("%.64s: no such command (nearest: %s; lory help lists them)",
                     *name ? name : "\"\"", best);
}

/* Bold as on the pages of the commands; padded to at least `width` columns. */
static void put_bold(buf *b, const char *text, int width)
{
    bool is_bold = out_is_styled();
    int n_blanks = width - (int)strlen(text);
    buf_printf(b, "%s%s%s%*s", is_bold ? "\033[1m" : "", text, is_bold ? "\033[0m" : "",
               n_blanks > 0 ? n_blanks : 0, "");
}

static int print_help(void)
{
    buf b = { 0 };
    buf_puts(&b, "lory runs GPT language models on the CPU.\n\n");
    put_bold(&b, "Usage:", 0);
    buf_puts(&b, " lory COMMAND [options]\n\n");
    put_bold(&b, "Commands:", 0);
    buf_puts(&b, "\n");
    for (int i = 0; i < N_COMMANDS; i++) {
        buf_puts(&b, "  ");
        put_bold(&b, commands[i].name, 9);
        buf_printf(&b, " %s\n", commands[i].what);
    }
    buf_puts(&b, "\nlory help COMMAND describes a command, lory --version prints the version.\n\n");
    put_bold(&b, "First steps:", 0);
    buf_puts(&b, "\n  lory run -p \"Once upon a time\"\n  lory chat\n");
    return out_last(&b) ? EXIT_OK : EXIT_FAILED;
}

static int print_version(void)
{
    buf b = { 0 };
    buf_printf(&b, "lory %s\n", lory_version());
    return out_last(&b) ? EXIT_OK : EXIT_FAILED;
}

static int unexpected(const char *word)
{
    return cli_usage("%.64s: an argument too many (lory help COMMAND describes a command)", word);
}

static int cmd_help(int argc, char **argv)
{
    char help[] = "--help";
    if (argc > 2) return unexpected(argv[2]);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    const command *c = find_command(argv[1]);
    if (!c) return unknown_command(argv[1]);
    if (c->run == cmd_help) return print_help();
    char *words[] = { argv[1], help, NULL };
    return c->run(2, words);
}

/* argv[0] is the program. */
static int dispatch(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    if (strcmp(argv[1], "--version") == 0)
        return argc > 2 ? unexpected(argv[2]) : print_version();
    const command *c = find_command(argv[1]);
    return c ? c->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    cli_begin();
    cli_catch_signals();
    return cli_end(dispatch(argc, argv));
}
