// Products of 8-bit weights with 16-bit inputs, summed in integers: for inference only, on every CPU.
//
// A weight row w becomes whole numbers of -127 .. 127 and one scale, max |w| / 127. Each step's row x (or state h) becomes
// whole numbers of -M .. M and one scale, max |x| / M. Their products are summed exactly in 32 bits, since
//     |sum| <= length 127 M <= 2^31 - 1    by M = min(32767, (2^31 - 1) / (127 length)),
// and each partial sum too: an instruction that saturates or wraps never meets a number that is too large. So the sum
// has the same bits in whatever order and with whatever instruction it is made. It is then multiplied by both scales.
//
// A rounded row is [scale][numbers, two to a word, zeros at the end]. A panel is [scales: slots][kWidth], then the numbers
// [pairs of k][slots][kWidth][2]: with `words` = 1 + pairs / 2 it takes slots kWidth words floats, as a panel of `words`
// numbers does in microkernel.h. A NaN or infinity in a row makes its scale, and so all its sums, NaN.
#pragma once

#include "microkernel.h"

namespace gatewise {

// Pairs that a row of `length` numbers takes, and the words of a panel per lane and slot.
constexpr long int8_pairs(long length) { return (length + 3) / 4 * 2; }
constexpr long int8_words(long length) { return 1 + int8_pairs(length) / 2; }
constexpr long int8_row_words(long length) { return 1 + int8_pairs(length); }

// `length` floats -> int8_row_words(length) words.
void to_int8_row(const float* from, long length, float* to);

// Rows of weights, rows[slot * kWidth + lane] (null: zeros) -> a panel of slots * kWidth * int8_words(length) floats.
void to_int8_panel(const float* const* rows, int slots, long length, float* to);

// As product_tile, for rounded rows and panels; a segment's length is its words. Each segment's sums are added at once.
ProductTile int8_product_tile(Product product, int rows);

// The same with VNNI's instruction, which adds as it multiplies; null where the compiler or this CPU has none.
ProductTile int8_vnni_product_tile(Product product, int rows);

}  // namespace gatewise
