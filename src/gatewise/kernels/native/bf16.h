// Products of bfloat16 pairs with float32 sums, where the CPU has them: for inference only.
#pragma once

#include "microkernel.h"

namespace gatewise {

// Whether this CPU multiplies pairs of bfloat16; without, the other two functions must not be called.
bool has_bf16_products();

// As product_tile, for rows and weights of pairs.
ProductTile bf16_product_tile(Product product, int rows);

// `length` floats, rounded to nearest even -> (length + 1) / 2 words of two; an odd last one stands beside a zero.
void to_bf16_pairs(const float* from, long length, float* to);

// Words of a row of `length` numbers.
constexpr long pairs_of(long length) { return (length + 1) / 2; }

}  // namespace gatewise
