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

## linear_integers
/* y = weight x: the sum of a row's products, times its factor by 2^shift, plus its bias */
static void linear_integers(const int16_t *restrict x, const int8_t *restrict weight, const int32_t *restrict factor,
                            const int32_t *restrict bias, int shift, size_t columns, size_t rows, int16_t *restrict y)
{
    for (size_t row = 0; row < rows; row++, weight += columns) {
        int32_t sum = 0;
        for (size_t column = 0; column < columns; column++) {
            sum += (int32_t)x[column] * weight[column];
        }
        const int64_t scaled = (int64_t)sum * factor[row] + ((int64_t)1 << (shift - 1));
        const int64_t found = (scaled >= 0 ? scaled >> shift : ~(~scaled >> shift)) + (bias == NULL ? 0 : bias[row]);
        y[row] = (int16_t)(found > 32767 ? 32767 : found < -32767 ? -32767 : found);
    }
}

## linear_integers_long
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
        const int64_t scaled = sum * factor[row] + ((int64_t)1 << (shift - 1));
        const int64_t found = (scaled >= 0 ? scaled >> shift : ~(~scaled >> shift)) + (bias == NULL ? 0 : bias[row]);
        y[row] = (int16_t)(found > 32767 ? 32767 : found < -32767 ? -32767 : found);
    }
}

## to_integers
/* x * scale to the nearest integers, halves away from zero; what is too large becomes 32767, NaN -32767 */
static void to_integers(const float *restrict x, size_t count, float scale, int16_t *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        const float scaled = x[i] * scale, half = scaled < 0.0f ? -0.5f : 0.5f;
        y[i] = scaled >= 32767.0f ? 32767 : scaled > -32767.0f ? (int16_t)(scaled + half) : -32767;
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
