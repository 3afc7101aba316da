/* Reads texts from standard input, one a line, and prints the answer to each. */

#include "NAME.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const labels[COUNT] = {LABELS};

static NAME_instance model;
static uint32_t tokens[UPPER_TOKENS];
static float answers[COUNT];

/* A line of any length without its end; 0 where there is none any more. */
static int read_line(char **line, size_t *size)
{
    size_t length = 0;
    for (int c = getchar();; c = getchar()) {
        if (length + 1 >= *size) {
            char *const longer = realloc(*line, 2 * *size + 256);
            if (longer == NULL) {
                fputs("out of memory\n", stderr);
                exit(1);
            }
            *line = longer;
            *size = 2 * *size + 256;
        }
        if (c == EOF || c == '\n') {
            (*line)[length] = '\0';
            return c != EOF || length > 0;
        }
        if (c != '\0' && c != '\r') {
            (*line)[length++] = (char)c;
        }
    }
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    NAME_init(&model);
    while (read_line(&line, &size)) {
        if (line[strspn(line, " \t")] == '\0') {
            continue;
        }
        const size_t count = NAME_tokenise(line, tokens);
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
