/* Bytes of the white space that stands here in a text in UTF-8, which a NUL ends; 0: there is none. */
static size_t space_at(const char *place)
{
    const unsigned char *const sign = (const unsigned char *)place;
    switch (sign[0]) {
    case ' ':
        return 1;
    case 0xC2: /* next line, no-break space */
        return sign[1] == 0x85 || sign[1] == 0xA0 ? 2 : 0;
    case 0xE1: /* space of the Ogham script */
        return sign[1] == 0x9A && sign[2] == 0x80 ? 3 : 0;
    case 0xE2: /* spaces of typography, ends of lines and paragraphs */
        if (sign[1] == 0x80) {
            return (sign[2] >= 0x80 && sign[2] <= 0x8A) || sign[2] == 0xA8 || sign[2] == 0xA9 || sign[2] == 0xAF ? 3 : 0;
        }
        return sign[1] == 0x81 && sign[2] == 0x9F ? 3 : 0;
    case 0xE3: /* space of Chinese and Japanese */
        return sign[1] == 0x80 && sign[2] == 0x80 ? 3 : 0;
    default:
        return (sign[0] >= 9 && sign[0] <= 13) || (sign[0] >= 28 && sign[0] <= 31) ? 1 : 0;
    }
}
