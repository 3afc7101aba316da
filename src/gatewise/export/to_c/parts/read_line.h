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
