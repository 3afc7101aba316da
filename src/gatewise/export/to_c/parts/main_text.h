/* Reads texts from standard input, one a line, and prints the answer to each; to an empty one an empty line. */

#include "NAME.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const labels[COUNT] = {LABELS};
THRESHOLDS

static NAME_instance model;
static uint32_t tokens[UPPER_TOKENS];
static float answers[COUNT];

READ_LINE
int main(void)
{
    char *line = NULL;
    size_t size = 0, length = 0;
    NAME_init(&model);
    while (read_line(&line, &size, &length)) {
        if (strspn(line, " \t\r") == length) {
            putchar('\n');
            fflush(stdout);
            continue;
        }
        const size_t count = NAME_tokenise_bytes(line, length, tokens);
        if (NAME_run(&model, count, tokens, answers) != UPPER_OK) {
            fputs("the text cannot be read\n", stderr);
            return 1;
        }
PRINT
        fflush(stdout);
    }
    free(line);
    return 0;
}
