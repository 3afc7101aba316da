// Products with weights as they were given, row after row: for calls that use each weight too few times to pack it.
//
// Packing a block of weights costs about as much as two tile products with it. Here weights go from their rows into the
// sums at once. One or two rows of the batch: a few numbers of kWidth weight rows are turned into their transpose in
// registers, where they are multiplied as a panel's would be. More rows: the lanes are the rows of the batch, and each
// weight is spread over all of them; up to four rows stand twice, for two weights at once.
//
// Each sum is made in the order of microkernel.h, one fused multiply-add after the other, so its bits are the same.
#pragma once

#include "turn.h"

namespace gatewise {

constexpr int kDirectRows = GATEWISE_TURNS ? 8 : 0;   // how many rows of a batch one product takes; 0: weights are packed
constexpr int kTurnedRows = kWidth == 16 ? 8 : 2;     // up to so many rows are read as they are, more as lay_across has them
constexpr int kPairedRows = 4;                        // up to so many stand twice there

// Up to four columns of kWidth weight rows each, all with a slot in a tile's sums.
struct Columns {
  int count = 0;                // 0: not to be multiplied this way
  const float* weights[4] = {};  // a column's first row; the next ones follow at `length`
  int slots[4] = {};
  long next = 0;  // from a column to the one in the next panel, which the processor is asked to fetch; 0: it is not
};

// sums[r * row_stride + slot * kWidth + lane] += rows[r] . weights of that slot and lane, for r < count <= kDirectRows.
// `across` is what `lay_across` made of the rows, read where they are more than kTurnedRows.
void add_direct(const Columns& columns, const float* const* rows, const float* across, int count, long length,
                float* sums, long row_stride);

// to[k * kWidth + r] = rows[r][k], up to kPairedRows a second time at r + kPairedRows; 0 where there is no row.
void lay_across(const float* const* rows, int count, long length, float* to);

}  // namespace gatewise
