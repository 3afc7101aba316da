/* A line of any length without its end, the first one without a byte order mark, and how long it is: it may hold a NUL;
   0 where there is none any more. */
static int read_line(char **line, size_t *size, size_t *length)
{
    static int begun = 0;
    const int first = !begun;
    begun = 1;
    *length = 0;
    for (int c = getchar();; c = getchar()) {
        if (*length + 1 >= *size) {
            char *const longer = realloc(*line, 2 * *size + 256);
            if (longer == NULL) {
                fputs("out of memory\n", stderr);
                exit(1);
            }
            *line = longer;
            *size = 2 * *size + 256;
        }
        if (c == EOF || c == '\n') {
            const int found = c != EOF || *length > 0;
            if (*length > 0 && (*line)[*length - 1] == '\r') {
                (*length)--;
            }
            (*line)[*length] = '\0';
            return found;
        }
        (*line)[(*length)++] = (char)c;
        if (first && *length == 3 && memcmp(*line, "\xEF\xBB\xBF", 3) == 0) {
            *length = 0;
        }
    }
}
