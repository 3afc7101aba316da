// Gradients of the weights: sums over all real steps of (gradient of the pre-activations) x (input or state).
#pragma once

#include "bf16.h"
#include "sequence.h"

namespace gatewise {

// to[m][n] = sum over k of left[k][m] * right[k][n]: one product of tall matrices given row by row.
// Several of them share one `left`, so that its rows are rearranged once.
struct OuterProduct {
  const float* const* right;  // (K) rows of `columns` floats
  long columns;
  // Which stretch of left's columns feeds which rows of `to` (leading size `columns`): two stretches at most.
  struct Piece {
    long left_begin, left_end;  // columns of left
    float* to;                  // row left_begin goes here
  } pieces[2];
};

// Scratch floats one thread needs; `pairs` is what multiplies numbers rounded to bfloat16, or kNoBf16: as they are.
long outer_products_scratch(Bf16Products pairs, const OuterProduct* products, int count);

// All products, for this thread's share of left's columns. `left_rows[k]` has `left_columns` floats.
// With `add` they are added to what is there. The order of summation depends on the sizes alone, never on the threads.
void outer_products(Bf16Products pairs, const float* const* left_rows, long depth, long left_columns, const OuterProduct* products, int count,
                    int thread, int threads, float* scratch, bool add = false);

}  // namespace gatewise
