/* Words of a sentence to the numbers that the network reads: the word in small letters with every digit as 0, the class
   of its spelling, its characters. Classes of characters are in a table. */

enum { DECIMAL = 1, DIGIT = 2, ALPHABETIC = 4, UPPER = 8, TITLE = 16, LOWER = 32, CHANGES = 64, CASED = 128, IGNORED = 256 };

/* The classes of a character, a sum of the above. */
static uint32_t classes_of(uint32_t character)
{
    size_t low = 0, high = sizeof character_classes / sizeof character_classes[0];
    while (high - low > 1) { /* the last entry that does not begin behind it */
        const size_t middle = (low + high) / 2;
        if (character_classes[middle] >> 9 > character) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return character_classes[low] & 511u;
}

/* A character in small letters, of which there may be two; 0 where there is no second one. */
static uint32_t small_letter(uint32_t character, uint32_t *second)
{
    size_t low = 0, high = sizeof small_letters / sizeof small_letters[0];
    *second = 0u;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (character > small_letters[middle][1]) {
            low = middle + 1;
        } else if (character < small_letters[middle][0]) {
            high = middle;
        } else if ((character - small_letters[middle][0]) % small_letters[middle][2] != 0u) {
            return character;
        } else {
            *second = small_letters[middle][4];
            return character + small_letters[middle][3]; /* modulo 2^32 */
        }
    }
    return character;
}

/* Whether no letter follows within the word: a sigma has another small form there. */
static int is_last_letter(const unsigned char *place)
{
    while (*place != '\0') {
        const uint32_t classes = classes_of(decode(&place, NULL));
        if ((classes & IGNORED) == 0u) {
            return (classes & CASED) == 0u;
        }
    }
    return 1;
}

static uint32_t word_number(const char *text)
{
    const unsigned char *place = (const unsigned char *)text;
    word found;
    found.length = 0;
    for (int after_letter = 0; *place != '\0';) {
        const uint32_t character = decode(&place, NULL), classes = classes_of(character);
        uint32_t second, first = small_letter(character, &second);
        if (character == 0x3A3u) {
            first = after_letter && is_last_letter(place) ? 0x3C2u : 0x3C3u;
        }
        append(&found, (classes & DECIMAL) != 0u ? '0' : first);
        if (second != 0u) {
            append(&found, second);
        }
        if ((classes & IGNORED) == 0u) {
            after_letter = (classes & CASED) != 0u;
        }
    }
    return look_up(&found);
}
WHERE_SHAPES
/* The class of a word's spelling: 1 lower, 2 Capital, 3 CAPITALS, 4 miXed, 5 digits, 6 number, 7 lett3rs, 8 signs. */
static uint32_t shape_of(const char *text)
{
    const unsigned char *place = (const unsigned char *)text;
    uint32_t any = 0u, all = 511u, first = 0u, rest = 0u;
    int is_number = 1;
    for (size_t i = 0; *place != '\0'; i++) {
        const uint32_t character = decode(&place, NULL), classes = classes_of(character);
        const int is_sign = character == '.' || character == ',' || character == ':' || character == '/'
                            || character == '+' || character == '%' || character == '-';
        is_number = is_number && (is_sign || (classes & DECIMAL) != 0u);
        any |= classes;
        all &= classes;
        if (i == 0) {
            first = classes;
        } else {
            rest |= classes;
        }
    }
    if (any != 0u && (all & DIGIT) != 0u) {
        return 5u;
    }
    if ((any & DECIMAL) != 0u) {
        return is_number ? 6u : 7u;
    }
    if ((any & ALPHABETIC) == 0u) {
        return 8u;
    }
    if ((any & (UPPER | TITLE)) == 0u) {
        return 1u;
    }
    if ((any & (LOWER | TITLE)) == 0u) {
        return 3u;
    }
    return (first & UPPER) != 0u && (rest & CHANGES) == 0u ? 2u : 4u;
}
END_SHAPES
WHERE_CHARACTERS
static uint32_t character_number(uint32_t character)
{
    size_t low = 0, high = sizeof known_characters / sizeof known_characters[0];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (known_characters[middle][0] == character) {
            return known_characters[middle][1];
        }
        if (known_characters[middle][0] < character) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 1u;
}

/* The numbers of a word's characters; of a longer word those of its first and last ones. */
static size_t spell(const char *text, uint32_t *numbers)
{
    const size_t back = MOST_CHARACTERS / 2, front = MOST_CHARACTERS - back;
    const unsigned char *place = (const unsigned char *)text;
    size_t count = 0;
    for (; *place != '\0'; count++) {
        if (count >= MOST_CHARACTERS) { /* make room at the end */
            for (size_t i = front; i + 1 < MOST_CHARACTERS; i++) {
                numbers[i] = numbers[i + 1];
            }
        }
        const uint32_t number = character_number(decode(&place, NULL));
        if (count < MOST_CHARACTERS) {
            numbers[count] = number;
        } else if (back > 0) {
            numbers[MOST_CHARACTERS - 1] = number;
        }
    }
    if (count == 0) {
        numbers[0] = 1u;
        return 1;
    }
    return count > MOST_CHARACTERS ? MOST_CHARACTERS : count;
}
END_CHARACTERS
size_t NAME_word(PARAMETERS)
{
STATEMENTS
}
TAGS
