/* Reads sentences from standard input, one a line, their words and signs separated by spaces, and prints each word with
   its tag; an empty line for an empty line, and for one that cannot be read: which, it says on standard error. */

#include "NAME.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static NAME_instance model;
MEMORY

READ_LINE
SPACE_AT
int main(void)
{
    char *line = NULL;
    size_t size = 0, length = 0;
    int unread = 0;
    NAME_init(&model);
    for (unsigned long number = 1; read_line(&line, &size, &length); number++) {
        size_t steps = 0, words = 0;
        char *place = line;
        for (;;) {
            for (size_t found; (found = space_at(place)) > 0; place += found) {
                *place = '\0';
            }
            if (*place == '\0') {
                break;
            }
            if (words++ < UPPER_STEPS) {
                word_texts[steps++] = place;
            }
            while (*place != '\0' && space_at(place) == 0) {
                place++;
            }
        }
        if (place != line + length) {
            fprintf(stderr, "line %lu holds a NUL character: it has no tags\n", number);
            steps = 0;
            unread = 1;
        } else if (words > UPPER_STEPS) {
            fprintf(stderr, "line %lu has %lu words, more than %d: it has no tags\n", number, (unsigned long)words,
                    UPPER_STEPS);
            steps = 0;
            unread = 1;
        }
        START
        for (size_t t = 0; t < steps; t++) {
            WORD
        }
        if (steps > 0 && NAME_run(CALL) != UPPER_OK) {
            fprintf(stderr, "line %lu cannot be read: it has no tags\n", number);
            steps = 0;
            unread = 1;
        }
        for (size_t t = 0; t < steps; t++) {
            printf("%s%s/%s", t == 0 ? "" : " ", word_texts[t], NAME_tag(TAGS, steps, t));
        }
        putchar('\n');
        fflush(stdout);
    }
    free(line);
    return unread;
}
