/* Texts to tokens: tags become a space, capitals small letters; a token is a run of letters, digits and _ with one
   apostrophe inside, or a run of one other character. Classes of characters and words are in tables. */

typedef struct {
    const unsigned char *place;
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

/* One character of UTF-8; bytes that are none become U+FFFD one by one. */
static uint32_t decode(const unsigned char **place)
{
    const unsigned char *p = *place;
    const uint32_t first = p[0];
    const size_t more = first < 0x80u ? 0u : first < 0xC2u ? 9u : first < 0xE0u ? 1u : first < 0xF0u ? 2u : first < 0xF5u ? 3u : 9u;
    uint32_t found = more == 0u ? first : first & (0x3Fu >> more);
    *place = p + 1;
    if (more == 9u) {
        return 0xFFFDu;
    }
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xC0u) != 0x80u) {
            return 0xFFFDu;
        }
        found = (found << 6) | (p[i] & 0x3Fu);
    }
    if ((more == 2u && (found < 0x800u || (found >= 0xD800u && found < 0xE000u))) || (more == 3u && (found < 0x10000u || found > 0x10FFFFu))) {
        return 0xFFFDu;
    }
    *place = p + more + 1;
    return found;
}

/* Behind a tag such as <br />; NULL where there is none. */
static const unsigned char *behind_tag(const unsigned char *p)
{
    if (*p != '<' || !(is_ascii_letter(p[1]) || p[1] == '/' || p[1] == '!')) {
        return NULL;
    }
    p += 2;
    for (size_t i = 0; i <= 200; i++) {
        if (*p == '>') {
            return p + 1;
        }
        if (*p == '<' || *p == '\0') {
            return NULL;
        }
        (void)decode(&p);
    }
    return NULL;
}

/* The next character in small letters; 0 at the end. */
static uint32_t next_character(reader *text)
{
    if (text->waiting != 0u) {
        const uint32_t waiting = text->waiting;
        text->waiting = 0u;
        return waiting;
    }
    if (*text->place == '\0') {
        return 0u;
    }
    const unsigned char *const behind = behind_tag(text->place);
    if (behind != NULL) {
        text->place = behind;
        return ' ';
    }
    const uint32_t character = decode(&text->place);
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

typedef struct {
    unsigned char bytes[LONGEST_WORD + 4];
    size_t length; /* beyond LONGEST_WORD: longer than any known word */
} word;

static void append(word *given, uint32_t character)
{
    if (given->length > LONGEST_WORD) {
        return;
    }
    unsigned char *const end = given->bytes + given->length;
    if (character < 0x80u) {
        end[0] = (unsigned char)character;
        given->length += 1;
    } else if (character < 0x800u) {
        end[0] = (unsigned char)(0xC0u | (character >> 6));
        end[1] = (unsigned char)(0x80u | (character & 0x3Fu));
        given->length += 2;
    } else if (character < 0x10000u) {
        end[0] = (unsigned char)(0xE0u | (character >> 12));
        end[1] = (unsigned char)(0x80u | ((character >> 6) & 0x3Fu));
        end[2] = (unsigned char)(0x80u | (character & 0x3Fu));
        given->length += 3;
    } else {
        end[0] = (unsigned char)(0xF0u | (character >> 18));
        end[1] = (unsigned char)(0x80u | ((character >> 12) & 0x3Fu));
        end[2] = (unsigned char)(0x80u | ((character >> 6) & 0x3Fu));
        end[3] = (unsigned char)(0x80u | (character & 0x3Fu));
        given->length += 4;
    }
}

/* The number of a word; 1 where it is unknown. */
static uint32_t look_up(const word *given)
{
    size_t low = 0, high = sizeof word_numbers / sizeof word_numbers[0];
    while (given->length <= LONGEST_WORD && low < high) {
        const size_t middle = (low + high) / 2;
        const unsigned char *const known = word_bytes + word_starts[middle];
        const size_t length = word_starts[middle + 1] - word_starts[middle];
        size_t i = 0;
        while (i < length && i < given->length && known[i] == given->bytes[i]) {
            i++;
        }
        if (i == length && i == given->length) {
            return word_numbers[middle];
        }
        if (i < given->length && (i == length || known[i] < given->bytes[i])) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 1u;
}

/* Reads a token into `found`; 0 where there is none any more. */
static int next_word(reader *text, word *found)
{
    uint32_t character = next_character(text);
    while (character != 0u && is_space(character)) {
        character = next_character(text);
    }
    found->length = 0;
    if (character == 0u) {
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
        if (following != 0u && is_word(following)) {
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

size_t NAME_tokenise(const char *text, uint32_t *tokens)
{
    const size_t back = UPPER_TOKENS / 2, front = UPPER_TOKENS - back;
    reader given = {(const unsigned char *)text, 0u};
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
