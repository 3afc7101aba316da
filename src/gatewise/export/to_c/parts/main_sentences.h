/* Reads sentences from standard input, one a line, their words and signs separated by spaces, and prints each word with
   its tag; an empty line for an empty line. */

#include "NAME.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static NAME_instance model;
MEMORY

READ_LINE
int main(void)
{
    char *line = NULL;
    size_t size = 0, length = 0;
    NAME_init(&model);
    for (unsigned long number = 1; read_line(&line, &size, &length); number++) {
        if (strlen(line) != length) {
            fprintf(stderr, "line %lu holds a NUL character\n", number);
            return 1;
        }
        size_t steps = 0;
        char *place = line;
        for (;;) {
            while (*place == ' ' || *place == '\t' || *place == '\r') {
                *place++ = '\0';
            }
            if (*place == '\0') {
                break;
            }
            if (steps == UPPER_STEPS) {
                fprintf(stderr, "line %lu has more than %d words\n", number, UPPER_STEPS);
                return 1;
            }
            word_texts[steps++] = place;
            while (*place != '\0' && *place != ' ' && *place != '\t' && *place != '\r') {
                place++;
            }
        }
        START
        for (size_t t = 0; t < steps; t++) {
            WORD
        }
        if (steps > 0 && NAME_run(CALL) != UPPER_OK) {
            fprintf(stderr, "line %lu cannot be read\n", number);
            return 1;
        }
        for (size_t t = 0; t < steps; t++) {
            printf("%s%s/%s", t == 0 ? "" : " ", word_texts[t], NAME_tag(TAGS, steps, t));
        }
        putchar('\n');
        fflush(stdout);
    }
    free(line);
    return 0;
}
