/* fuzz_calls.c - any bytes as tool calls: refused in one line, or calls with a name and a JSON
 * object for arguments. */
#include "cli/calls.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

int fuzz_calls(const uint8_t *data, size_t n)
{
    static const char text[] =
        "[{\"function\": {\"name\": \"add\", \"parameters\": {\"properties\": "
        "{\"a\": {\"type\": \"string\"}}}}}]";
    tool_calls calls = { 0 };
    lory_err err = { 0 };
    json_doc tools, d;
    if (!json_read(&tools, text, strlen(text), "tools", &err)) abort();
    if (!calls_read((const char *)data, n, tools.root, &calls, &err)) {
        if (calls.n > 0 || !err.text[0] || strchr(err.text, '\n')) abort();
    }
    for (size_t i = 0; i < calls.n; i++) {
        const tool_call *c = &calls.call[i];
        if (c->name.len == 0) abort();
        if (!json_read(&d, c->arguments.data, c->arguments.len, "arguments", &err)) abort();
        if (d.root->type != JSON_OBJECT) abort();
        json_close(&d);
    }
    tool_calls_free(&calls);
    json_close(&tools);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_calls)
#endif
