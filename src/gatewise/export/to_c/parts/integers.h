Operations on integers: a value q with f fraction bits is q / 2^f, within ±32767. Defined so that every machine gives the
same bits; `gatewise.export.integers.formats` is the same in NumPy. Sections as in operations.h.

## rounded
/* x / 2^bits to the nearest integer, halves up */
static inline int32_t rounded(int32_t x, int bits)
{
    const int32_t sum = x + ((int32_t)1 << (bits - 1));
    return sum >= 0 ? sum >> bits : ~(~sum >> bits);
}

## saturated
static inline int32_t saturated(int32_t x)
{
    return x > 32767 ? 32767 : x < -32767 ? -32767 : x;
}

## logistic
/* 32768 / (1 + exp(-x)), x with 12 fraction bits, between the values of a table; error below 4e-5 */
static inline int32_t logistic(int32_t x)
{
    const int32_t size = x < 0 ? -x : x, kept = size < 65535 ? size : 65535, place = kept >> 7;
    const int32_t low = logistic_values[place], high = logistic_values[place + 1];
    const int32_t found = low + (((high - low) * (kept & 127) + 64) >> 7);
    return x < 0 ? 32768 - found : found;
}

## scaled
/* sum * factor / 2^shift to the nearest integer, plus bias, within 16 bits */
static inline int16_t scaled(int64_t sum, int32_t factor, int shift, int32_t bias)
{
    const int64_t product = sum * factor + ((int64_t)1 << (shift - 1));
    const int64_t found = (product >= 0 ? product >> shift : ~(~product >> shift)) + bias;
    return (int16_t)(found > 32767 ? 32767 : found < -32767 ? -32767 : found);
}

## linear_integers scaled
/* y = weight x: the sum of a row's products, times its factor by 2^shift, plus its bias; four rows at once */
static void linear_integers(const int16_t *restrict x, const int8_t *restrict weight, const int32_t *restrict factor,
                            const int32_t *restrict bias, int shift, size_t columns, size_t rows, int16_t *restrict y)
{
    for (size_t four = rows / 4; four > 0; four--, weight += 4 * columns, factor += 4, y += 4) {
        const int8_t *const w1 = weight + columns, *const w2 = w1 + columns, *const w3 = w2 + columns;
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (size_t column = 0; column < columns; column++) {
            const int32_t a = x[column];
            s0 += a * weight[column];
            s1 += a * w1[column];
            s2 += a * w2[column];
            s3 += a * w3[column];
        }
        y[0] = scaled(s0, factor[0], shift, bias == NULL ? 0 : bias[0]);
        y[1] = scaled(s1, factor[1], shift, bias == NULL ? 0 : bias[1]);
        y[2] = scaled(s2, factor[2], shift, bias == NULL ? 0 : bias[2]);
        y[3] = scaled(s3, factor[3], shift, bias == NULL ? 0 : bias[3]);
        bias = bias == NULL ? NULL : bias + 4;
    }
    for (size_t rest = rows % 4; rest > 0; rest--, weight += columns) {
        int32_t sum = 0;
        for (size_t column = 0; column < columns; column++) {
            sum += (int32_t)x[column] * weight[column];
        }
        *y++ = scaled(sum, *factor++, shift, bias == NULL ? 0 : *bias++);
    }
}

## linear_integers_long scaled
/* the same for rows whose sums need 64 bits */
static void linear_integers_long(const int16_t *restrict x, const int8_t *restrict weight,
                                 const int32_t *restrict factor, const int32_t *restrict bias, int shift,
                                 size_t columns, size_t rows, int16_t *restrict y)
{
    for (size_t row = 0; row < rows; row++, weight += columns) {
        int64_t sum = 0;
        for (size_t column = 0; column < columns; column++) {
            sum += (int32_t)x[column] * weight[column];
        }
        y[row] = scaled(sum, factor[row], shift, bias == NULL ? 0 : bias[row]);
    }
}

## to_integers
/* x * scale to the nearest integers, halves away from zero; what is too large becomes 32767, NaN -32767 */
static void to_integers(const float *restrict x, size_t count, float scale, int16_t *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        const float up = x[i] * scale, half = up < 0.0f ? -0.5f : 0.5f;
        y[i] = up >= 32767.0f ? 32767 : up > -32767.0f ? (int16_t)(up + half) : -32767;
    }
}

## from_integers
static void from_integers(const int16_t *restrict x, size_t count, float scale, float *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = (float)x[i] * scale;
    }
}

## copy_integers
static void copy_integers(const int16_t *x, size_t count, int16_t *y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i];
    }
}

## linear_mixed to_integers
/* y = weight x + bias: x as integers in `read`, sums of integers, y float */
static void linear_mixed(const float *restrict x, float up, const int8_t *restrict weight, const float *restrict scale,
                         const float *restrict bias, size_t columns, size_t rows, int16_t *restrict read,
                         float *restrict y)
{
    to_integers(x, columns, up, read);
    for (size_t row = 0; row < rows; row++, weight += columns) {
        int32_t sum = 0;
        for (size_t column = 0; column < columns; column++) {
            sum += (int32_t)read[column] * weight[column];
        }
        const float product = (float)sum * scale[row];
        y[row] = bias == NULL ? product : product + bias[row];
    }
}

## linear_mixed_long to_integers
/* the same for rows whose sums need 64 bits */
static void linear_mixed_long(const float *restrict x, float up, const int8_t *restrict weight,
                              const float *restrict scale, const float *restrict bias, size_t columns, size_t rows,
                              int16_t *restrict read, float *restrict y)
{
    to_integers(x, columns, up, read);
    for (size_t row = 0; row < rows; row++, weight += columns) {
        int64_t sum = 0;
        for (size_t column = 0; column < columns; column++) {
            sum += (int32_t)read[column] * weight[column];
        }
        const float product = (float)sum * scale[row];
        y[row] = bias == NULL ? product : product + bias[row];
    }
}

## row_of
/* a row of a table */
static void row_of(const int8_t *restrict table, const float *restrict scale, size_t row, size_t width,
                   float *restrict y)
{
    for (size_t i = 0; i < width; i++) {
        y[i] = (float)table[row * width + i] * scale[row];
    }
}
