/* Letter and type of each tag. */
static const char tag_letters[COUNT] = {LETTERS};
static const uint16_t tag_types[COUNT] = {TYPES};

/* Of each type the tags of a span in the training file: first word, inner ones, last one, of a single word. */
static const char *const span_tags[KINDS][4] = {
SPANS
};

/* Whether a span begins at a word, and which tag is before it. */
static int begins(const uint32_t *tags, size_t t)
{
    const char letter = tag_letters[tags[t]], before = t == 0 ? 'O' : tag_letters[tags[t - 1]];
    if (letter == 'O') {
        return 0;
    }
    return letter == 'B' || letter == 'S' || before == 'O' || before == 'E' || before == 'S'
           || tag_types[tags[t]] != tag_types[tags[t - 1]];
}

const char *NAME_tag(const uint32_t *tags, size_t steps, size_t t)
{
    if (tag_letters[tags[t]] == 'O') {
        return "O";
    }
    const char *const *const names = span_tags[tag_types[tags[t]]];
    const int first = begins(tags, t);
    const int last = t + 1 == steps || tag_letters[tags[t + 1]] == 'O' || begins(tags, t + 1);
BEFORE    return first ? names[last ? 3 : 0] : names[last ? 2 : 1];
}
