/* Texts to tokens: tags become a space, capitals small letters; a token is a run of letters, digits and _ with one
   apostrophe inside, or a run of one other character. Classes of characters and words are in tables. */

enum { NOTHING = 0x110000 }; /* behind the last character */

typedef struct {
    const unsigned char *place, *end;
    uint32_t waiting; /* second half of a letter whose small form are two characters */
} reader;

static int in_ranges(const uint32_t ranges[][2], size_t count, uint32_t character)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (character > ranges[middle][1]) {
            low = middle + 1;
        } else if (character < ranges[middle][0]) {
            high = middle;
        } else {
            return 1;
        }
    }
    return 0;
}

static int is_word(uint32_t character)
{
    return in_ranges(word_characters, sizeof word_characters / sizeof word_characters[0], character);
}

static int is_space(uint32_t character)
{
    return in_ranges(space_characters, sizeof space_characters / sizeof space_characters[0], character);
}

static int is_ascii_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind a tag such as <br />; NULL where there is none. */
static const unsigned char *behind_tag(const unsigned char *p, const unsigned char *end)
{
    if (end - p < 2 || *p != '<' || !(is_ascii_letter(p[1]) || p[1] == '/' || p[1] == '!')) {
        return NULL;
    }
    p += 2;
    for (size_t i = 0; i <= 200; i++) {
        if (p == end || *p == '<') {
            return NULL;
        }
        if (*p == '>') {
            return p + 1;
        }
        (void)decode(&p, end);
    }
    return NULL;
}

/* The next character in small letters; NOTHING at the end. */
static uint32_t next_character(reader *text)
{
    if (text->waiting != 0u) {
        const uint32_t waiting = text->waiting;
        text->waiting = 0u;
        return waiting;
    }
    if (text->place == text->end) {
        return NOTHING;
    }
    const unsigned char *const behind = behind_tag(text->place, text->end);
    if (behind != NULL) {
        text->place = behind;
        return ' ';
    }
    const uint32_t character = decode(&text->place, text->end);
    size_t low = 0, high = sizeof small_letters / sizeof small_letters[0];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (character > small_letters[middle][1]) {
            low = middle + 1;
        } else if (character < small_letters[middle][0]) {
            high = middle;
        } else if ((character - small_letters[middle][0]) % small_letters[middle][2] != 0u) {
            return character;
        } else {
            text->waiting = small_letters[middle][4];
            return character + small_letters[middle][3]; /* modulo 2^32 */
        }
    }
    return character;
}

static uint32_t peek(const reader *text)
{
    reader copy = *text;
    return next_character(&copy);
}

/* Reads a token into `found`; 0 where there is none any more. */
static int next_word(reader *text, word *found)
{
    uint32_t character = next_character(text);
    while (character != NOTHING && is_space(character)) {
        character = next_character(text);
    }
    found->length = 0;
    if (character == NOTHING) {
        return 0;
    }
    append(found, character);
    if (!is_word(character)) {
        while (peek(text) == character) {
            append(found, next_character(text));
        }
        return 1;
    }
    for (int apostrophes = 0;;) {
        reader ahead = *text;
        const uint32_t following = next_character(&ahead);
        if (following != NOTHING && is_word(following)) {
            append(found, following);
            *text = ahead;
        } else if (apostrophes == 0 && (following == '\'' || following == 0x2019u) && is_word(peek(&ahead))) {
            append(found, following);
            apostrophes = 1;
            *text = ahead;
        } else {
            return 1;
        }
    }
}

static void reverse(uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const uint32_t held = numbers[i];
        numbers[i] = numbers[count - 1 - i];
        numbers[count - 1 - i] = held;
    }
}

size_t NAME_tokenise_bytes(const char *text, size_t length, uint32_t *tokens)
{
    const size_t back = UPPER_TOKENS / 2, front = UPPER_TOKENS - back;
    const unsigned char *const start = (const unsigned char *)text;
    reader given = {start, start + length, 0u};
    word found;
    size_t count = 0;
    while (next_word(&given, &found)) {
        if (count < front) {
            tokens[count] = look_up(&found);
        } else if (back > 0) {
            tokens[front + (count - front) % back] = look_up(&found);
        }
        count++;
    }
    if (count == 0) {
        tokens[0] = 1u;
        return 1;
    }
    if (count > UPPER_TOKENS && back > 0) { /* the last ones lie in a ring */
        const size_t first = (count - front) % back;
        reverse(tokens + front, first);
        reverse(tokens + front + first, back - first);
        reverse(tokens + front, back);
    }
    return count > UPPER_TOKENS ? UPPER_TOKENS : count;
}

size_t NAME_tokenise(const char *text, uint32_t *tokens)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return NAME_tokenise_bytes(text, length, tokens);
}
