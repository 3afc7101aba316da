Operations of graphs in C. Read by `helpers.py`, not by a compiler: a section begins with `##`, its name and the
sections that it needs; REAL becomes float or double, and @ the f of `expf` or nothing.

## linear@
/* y = weight x + bias; weight column by column, so that the inner loop runs over neighbours */
static void linear@(const REAL *restrict x, const REAL *restrict weight, const REAL *restrict bias, size_t columns,
                    size_t rows, REAL *restrict y)
{
    for (size_t i = 0; i < rows; i++) {
        y[i] = bias == NULL ? 0.0@ : bias[i];
    }
    for (size_t eight = columns / 8; eight > 0; eight--, x += 8, weight += 8 * rows) {
        const REAL a0 = x[0], a1 = x[1], a2 = x[2], a3 = x[3], a4 = x[4], a5 = x[5], a6 = x[6], a7 = x[7];
        const REAL *const w1 = weight + rows, *const w2 = w1 + rows, *const w3 = w2 + rows, *const w4 = w3 + rows;
        const REAL *const w5 = w4 + rows, *const w6 = w5 + rows, *const w7 = w6 + rows;
        for (size_t i = 0; i < rows; i++) {
            y[i] += ((a0 * weight[i] + a1 * w1[i]) + (a2 * w2[i] + a3 * w3[i]))
                    + ((a4 * w4[i] + a5 * w5[i]) + (a6 * w6[i] + a7 * w7[i]));
        }
    }
    for (size_t rest = columns % 8; rest > 0; rest--, x++, weight += rows) {
        const REAL a = x[0];
        for (size_t i = 0; i < rows; i++) {
            y[i] += a * weight[i];
        }
    }
}

## linear_rows@
/* y = weight x + bias; weight row by row, because it is a table of vectors as well */
static void linear_rows@(const REAL *restrict x, const REAL *restrict weight, const REAL *restrict bias,
                         size_t columns, size_t rows, REAL *restrict y)
{
    for (size_t row = 0; row < rows; row++, weight += columns) {
        REAL sums[8] = {0.0@, 0.0@, 0.0@, 0.0@, 0.0@, 0.0@, 0.0@, 0.0@};
        REAL total = bias == NULL ? 0.0@ : bias[row];
        for (size_t eight = 0; eight < columns / 8; eight++) {
            for (size_t k = 0; k < 8; k++) {
                sums[k] += x[8 * eight + k] * weight[8 * eight + k];
            }
        }
        for (size_t column = columns - columns % 8; column < columns; column++) {
            total += x[column] * weight[column];
        }
        y[row] = total + (((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])));
    }
}

## parts_of_exponential
/* exp(x) = scale (1 + rest) with scale a power of two: Cody and Waite's reduction to |r| <= ln(2) / 2 and seven terms of
   the series of exp(r) - 1; relative error below 1e-7. For -87 <= x <= 87; NaN gives NaN. */
static inline float parts_of_exponential(float x, float *scale)
{
    union {
        float number;
        uint32_t bits;
    } power;
    const float shifted = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the sum's last bits are the rounded product */
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    power.number = shifted;
    power.bits = (power.bits + 127u) << 23;
    *scale = power.number;
    return r + r * r * (0.5f + r * (1.66666667e-1f + r * (4.16666667e-2f + r * (8.33333333e-3f
               + r * (1.38888889e-3f + r * 1.98412698e-4f)))));
}

## sigmoidf parts_of_exponential
/* relative error below 2e-7 */
static inline float sigmoidf(float x)
{
    const float low = x < -87.0f ? -87.0f : x, between = low > 87.0f ? 87.0f : low;
    float scale;
    const float rest = parts_of_exponential(-between, &scale);
    return 1.0f / (1.0f + (scale + scale * rest));
}

## sigmoid
static inline double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

## hyperbolicf parts_of_exponential
/* tanh(x) = (exp(2x) - 1) / (exp(2x) + 1); relative error below 2e-7 */
static inline float hyperbolicf(float x)
{
    const float low = x < -10.0f ? -10.0f : x, between = low > 10.0f ? 10.0f : low;
    float scale;
    const float rest = parts_of_exponential(2.0f * between, &scale);
    const float less_one = (scale - 1.0f) + scale * rest;
    return less_one / (less_one + 2.0f);
}

## hyperbolic
static inline double hyperbolic(double x)
{
    return tanh(x);
}

## exponentialf parts_of_exponential
/* exp(x) for x <= 0; below -87 about 1e-38 */
static inline float exponentialf(float x)
{
    const float between = x < -87.0f ? -87.0f : x;
    float scale;
    const float rest = parts_of_exponential(between, &scale);
    return scale + scale * rest;
}

## exponential
static inline double exponential(double x)
{
    return exp(x);
}

## log_sigmoid@
static inline REAL log_sigmoid@(REAL x)
{
    return (x < 0.0@ ? x : 0.0@) - log1p@(exp@(-fabs@(x)));
}

## softplus@
static inline REAL softplus@(REAL x)
{
    return (x > 0.0@ ? x : 0.0@) + log1p@(exp@(-fabs@(x)));
}

## greater@
/* fmax keeps the number where one is NaN; NaN has to go on */
static inline REAL greater@(REAL a, REAL b)
{
    return a > b || a != a ? a : b;
}

## lesser@
static inline REAL lesser@(REAL a, REAL b)
{
    return a < b || a != a ? a : b;
}

## sum@
static REAL sum@(const REAL *x, size_t width)
{
    REAL total = 0.0@;
    for (size_t i = 0; i < width; i++) {
        total += x[i];
    }
    return total;
}

## greatest@
static REAL greatest@(const REAL *x, size_t width)
{
    REAL found = x[0];
    for (size_t i = 1; i < width; i++) {
        found = x[i] > found ? x[i] : found;
    }
    return found;
}

## softmax@ greatest@ sum@ exponential@
static void softmax@(const REAL *restrict x, size_t width, REAL *restrict y)
{
    const REAL most = greatest@(x, width);
    for (size_t i = 0; i < width; i++) {
        y[i] = exponential@(x[i] - most);
    }
    const REAL share = 1.0@ / sum@(y, width);
    for (size_t i = 0; i < width; i++) {
        y[i] *= share;
    }
}

## log_softmax@ greatest@ sum@ exponential@
static void log_softmax@(const REAL *restrict x, size_t width, REAL *restrict y)
{
    const REAL most = greatest@(x, width);
    for (size_t i = 0; i < width; i++) {
        y[i] = exponential@(x[i] - most);
    }
    const REAL total = log@(sum@(y, width));
    for (size_t i = 0; i < width; i++) {
        y[i] = (x[i] - most) - total;
    }
}

## layer_norm@ sum@
static void layer_norm@(const REAL *restrict x, const REAL *restrict gain, const REAL *restrict bias, REAL least,
                        size_t width, REAL *restrict y)
{
    const REAL mean = sum@(x, width) / (REAL)width;
    REAL variance = 0.0@;
    for (size_t i = 0; i < width; i++) {
        variance += (x[i] - mean) * (x[i] - mean);
    }
    const REAL scale = 1.0@ / sqrt@(variance / (REAL)width + least);
    for (size_t i = 0; i < width; i++) {
        const REAL scaled = (x[i] - mean) * scale * (gain == NULL ? 1.0@ : gain[i]);
        y[i] = scaled + (bias == NULL ? 0.0@ : bias[i]);
    }
}

## copy@
static void copy@(const REAL *x, size_t count, REAL *y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i];
    }
}

## fill@
static void fill@(REAL *y, size_t count, REAL value)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = value;
    }
}

## pool_mean@
static void pool_mean@(const REAL *restrict x, size_t steps, size_t width, REAL *restrict y)
{
    for (size_t i = 0; i < width; i++) {
        y[i] = 0.0@;
    }
    for (size_t t = 0; t < steps; t++, x += width) {
        for (size_t i = 0; i < width; i++) {
            y[i] += x[i];
        }
    }
    for (size_t i = 0; i < width; i++) {
        y[i] /= (REAL)steps;
    }
}

## pool_sum@
static void pool_sum@(const REAL *restrict x, size_t steps, size_t width, REAL *restrict y)
{
    for (size_t i = 0; i < width; i++) {
        y[i] = 0.0@;
    }
    for (size_t t = 0; t < steps; t++, x += width) {
        for (size_t i = 0; i < width; i++) {
            y[i] += x[i];
        }
    }
}

## pool_max@
static void pool_max@(const REAL *restrict x, size_t steps, size_t width, REAL *restrict y)
{
    for (size_t i = 0; i < width; i++) {
        y[i] = x[i];
    }
    for (size_t t = 1; t < steps; t++) {
        x += width;
        for (size_t i = 0; i < width; i++) {
            y[i] = x[i] > y[i] ? x[i] : y[i];
        }
    }
}

## accumulate@
static void accumulate@(const REAL *restrict x, size_t steps, size_t width, REAL *restrict y)
{
    for (size_t i = 0; i < width; i++) {
        y[i] = x[i];
    }
    for (size_t t = 1; t < steps; t++) {
        for (size_t i = 0; i < width; i++) {
            y[t * width + i] = y[(t - 1) * width + i] + x[t * width + i];
        }
    }
}

## convolution@
/* y_t = sum over k of weight_k x_(t + k - taps / 2) + bias, x beyond the sequence 0; weight tap by tap, column by column */
static void convolution@(const REAL *restrict x, size_t steps, const REAL *restrict weight, const REAL *restrict bias,
                         size_t columns, size_t rows, size_t taps, REAL *restrict y)
{
    for (size_t t = 0; t < steps; t++, y += rows) {
        for (size_t i = 0; i < rows; i++) {
            y[i] = bias[i];
        }
        for (size_t k = 0; k < taps; k++) {
            const size_t place = t + k;
            if (place < taps / 2 || place - taps / 2 >= steps) {
                continue;
            }
            const REAL *const read = x + (place - taps / 2) * columns;
            for (size_t column = 0; column < columns; column++) {
                const REAL a = read[column], *const w = weight + (k * columns + column) * rows;
                for (size_t i = 0; i < rows; i++) {
                    y[i] += a * w[i];
                }
            }
        }
    }
}

## viterbi@
/* The tags with the highest score; of equal ones the lower tag, from the end. `best`: steps x count numbers of memory */
static void viterbi@(const REAL *restrict scores, size_t steps, size_t count, const REAL *restrict moves,
                     const REAL *restrict start, const REAL *restrict end, REAL *restrict best, uint32_t *restrict tags)
{
    for (size_t i = 0; i < count; i++) {
        best[i] = scores[i] + start[i];
    }
    for (size_t t = 1; t < steps; t++) {
        const REAL *const before = best + (t - 1) * count;
        REAL *const now = best + t * count;
        for (size_t i = 0; i < count; i++) {
            now[i] = before[0] + moves[i];
        }
        for (size_t from = 1; from < count; from++) {
            for (size_t i = 0; i < count; i++) {
                const REAL found = before[from] + moves[from * count + i];
                now[i] = found > now[i] ? found : now[i];
            }
        }
        for (size_t i = 0; i < count; i++) {
            now[i] += scores[t * count + i];
        }
    }
    for (size_t t = steps; t-- > 0;) { /* back from the end: which tag led to the best score there */
        const REAL *const now = best + t * count;
        size_t chosen = 0;
        REAL most = 0.0@;
        for (size_t i = 0; i < count; i++) {
            const REAL found = now[i] + (t + 1 == steps ? end[i] : moves[i * count + tags[t + 1]]);
            if (i == 0 || found > most) {
                chosen = i;
                most = found;
            }
        }
        tags[t] = (uint32_t)chosen;
    }
}
