/* Words by their number: a table of all known ones, sorted by their bytes. */

/* One character of UTF-8 before `end`, NULL where a NUL ends the text; bytes that are none become U+FFFD one by one. */
static uint32_t decode(const unsigned char **place, const unsigned char *end)
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
        if (p + i == end || (p[i] & 0xC0u) != 0x80u) {
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
