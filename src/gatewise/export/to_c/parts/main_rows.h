/* Reads numbers from standard input, a step a line, separated by spaces or commas, and prints the outputs.
WHAT */

#include "NAME.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *line;
static size_t line_size;
static unsigned long line_number;
static NAME_instance model;
MEMORY

static void fail(const char *what)
{
    fprintf(stderr, "line %lu: %s\n", line_number, what);
    exit(1);
}

READ_LINE
/* `width` numbers of the next line; 0 at a blank line, -1 at the end. */
static int read_numbers(double *numbers, size_t width)
{
    size_t length;
    line_number++;
    if (!read_line(&line, &line_size, &length)) {
        free(line);
        line = NULL;
        line_size = 0;
        return -1;
    }
    if (strlen(line) != length) {
        fail("it holds a NUL character");
    }
    const char *place = line;
    for (size_t i = 0;; i++) {
        while (isspace((unsigned char)*place) || *place == ',' || *place == ';') {
            place++;
        }
        if (*place == '\0') {
            if (i != 0 && i != width) {
                fail("too few numbers");
            }
            return i != 0;
        }
        char *end;
        const double number = strtod(place, &end);
        if (end == place || i == width) {
            fail(end == place ? "not a number" : "too many numbers");
        }
        numbers[i] = number;
        place = end;
    }
}

static void print_row(const char *name, const double *numbers, size_t width)
{
    size_t best = 0;
    fputs(name, stdout);
    for (size_t i = 0; i < width; i++) {
        best = numbers[i] > numbers[best] ? i : best;
        if (width <= 64) {
            printf("%s%.9g", i == 0 ? "" : " ", numbers[i]);
        }
    }
    if (width > 64) {
        printf("greatest of %lu: number %lu, %.9g", (unsigned long)width, (unsigned long)best, numbers[best]);
    }
    putchar('\n');
}

BODY
