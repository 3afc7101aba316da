// Blocked product of two tall matrices, built on the same tile product as the walk through time.
//
// The long axis K is cut into stretches. In each, the right rows become panels [k][4 blocks][kWidth] and
// a group of left columns is transposed, so that tile row m reads its numbers side by side. The tile's sums start from what
// `to` already holds. With pairs of bfloat16 both hold words of two neighbouring rows.
#include "weight_gradient.h"

#include <algorithm>

#include "bf16_pack.h"

namespace gatewise {

namespace {

constexpr int W = kWidth;

// How the work is cut.
struct Cut {
  long depth;     // rows of a stretch
  long words;     // what stands for them
  int tile_rows;  // left columns that one tile product takes
  long group;     // left columns transposed at a time
  long whole;     // a tile that is written where it belongs has a multiple of so many rows
  // Words of a transposed group, and of what a tile may read behind it.
  constexpr long room() const { return (group + tile_rows) * words; }
};
constexpr Cut cut(Bf16Products pairs) {
  return pairs == kNoBf16  ? Cut{128, 128, kRegisterRows, W * kRegisterRows, 1}
         : is_tiled(pairs) ? Cut{512, 256, kBf16TileRows, kBf16TileRows, kUnitRows}
                           : Cut{256, 128, kRegisterRows, 48, 1};
}

// One tile at an edge, where whole vectors would reach past the row or whole tiles past the last: by way of a padded copy.
void edge_tile(ProductTile tile, const Segment& segment, const Segment& nothing, float* to, long stride, int rows,
               long columns, int slots, bool fresh) {
  float copy[kMostTileRows * kMaximumSlots * W] = {};
  const float* start[kMostTileRows];
  const long row = slots * W;
  for (int r = 0; r < rows; ++r) {
    start[r] = copy + r * row;
    if (!fresh) std::memcpy(copy + r * row, to + r * stride, columns * sizeof(float));
  }
  tile(start, segment, nothing, copy, row, W);
  for (int r = 0; r < rows; ++r) std::memcpy(to + r * stride, copy + r * row, columns * sizeof(float));
}

// Adds one stretch of K to rows first .. last of one product; `left` is the transposed group. Panel by panel, so that
// each stays in the nearest cache for all rows of the group.
void add_rows(Bf16Products pairs, const float* left, long first, long last, long depth, const OuterProduct& product,
              const float* packed, float* to, bool fresh, const float* zeros) {
  const Panels panels(product.columns);
  const Cut by = cut(pairs);
  const float *start[kMostTileRows], *row[kMostTileRows];
  const Segment nothing{row, nullptr, 0};
  for (long j = 0; j < panels.panels; ++j) {
    const long block = panels.first_block(j), column = block * W;
    const int slots = panels.slots(j);
    const Segment segment{row, packed + block * depth * W, depth};
    const long inside = std::min<long>(product.columns - column, slots * W);
    for (long m = first; m < last; m += by.tile_rows) {
      const int rows = int(std::min<long>(by.tile_rows, last - m));
      float* target = to + (m - first) * product.columns + column;
      const Product which = blocks_product(slots);
      const ProductTile tile = pairs == kNoBf16 ? product_tile(which, rows) : bf16_product_tile(pairs, which, rows);
      for (int r = 0; r < rows; ++r) row[r] = left + (m + r) * by.words;
      if (inside < slots * W || rows % by.whole != 0) {
        edge_tile(tile, segment, nothing, target, product.columns, rows, inside, slots, fresh);
        continue;
      }
      for (int r = 0; r < rows; ++r) start[r] = fresh ? zeros : target + r * product.columns;
      tile(start, segment, nothing, target, product.columns, W);
    }
  }
}

// Columns begin..end of `depth` rows, transposed: to[(m - begin) * stride + k] = rows[k][m].
void transpose_group(const float* const* rows, long depth, long begin, long end, float* to, long stride) {
  for (long k = 0; k < depth; k += W) {
    const long height = std::min<long>(W, depth - k);
    for (long next = k + W; next < std::min(k + 2 * W, depth); ++next)
      for (long m = begin; m < end; m += 16) __builtin_prefetch(rows[next] + m);
    for (long m = begin; m < end; m += W) {
      const Part<W> part(end - m);
      Float<W> block[W];
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) block[i] = i < height ? load<W>(rows[k + i] + m, part) : zero<W>();
      transpose(block);
      for (int i = 0; i < W; ++i) store(to + (m - begin + i) * stride + k, block[i]);
    }
  }
}

// The columns of left, in whole vectors, that make up this thread's share of the work: not all columns feed all products.
Range fair_columns(const OuterProduct* products, int count, long left_columns, int thread, int threads) {
  const auto work = [&](long column) {
    long total = 1;
    for (int i = 0; i < count; ++i)
      for (const OuterProduct::Piece& piece : products[i].pieces)
        if (column >= piece.left_begin && column < piece.left_end) total += products[i].columns;
    return total;
  };
  long all = 0;
  for (long column = 0; column < left_columns; column += W) all += work(column);
  Range found{left_columns, left_columns};
  long before = 0;
  for (long column = 0; column < left_columns; column += W) {
    const int owner = int(before * threads / all);
    if (owner == thread && found.begin == left_columns) found.begin = column;
    if (owner > thread) {
      found.end = column;
      break;
    }
    before += work(column);
  }
  if (found.begin == left_columns) found.end = left_columns;
  return found;
}

}  // namespace

long outer_products_scratch(Bf16Products pairs, const OuterProduct* products, int count) {
  const Cut by = cut(pairs);
  long size = by.room() + kMaximumSlots * W;
  for (int i = 0; i < count; ++i) size += round_up(products[i].columns, W) * by.words;
  return size;
}

void outer_products(Bf16Products pairs, const float* const* left_rows, long depth, long left_columns,
                    const OuterProduct* products, int count, int thread, int threads, float* scratch, bool add) {
  const Cut by = cut(pairs);
  const Bf16Unit unit(pairs, kBf16TileRows);
  const Range mine = fair_columns(products, count, left_columns, thread, threads);
  const long begin = mine.begin, end = mine.end;
  float* zeros = scratch;
  float* left = zeros + kMaximumSlots * W;
  float* right = left + by.room();
  std::memset(zeros, 0, kMaximumSlots * W * sizeof(float));
  for (long k0 = 0; k0 < std::max(depth, 1L); k0 += by.depth) {
    const long stretch = std::min(by.depth, depth - k0), length = pairs == kNoBf16 ? stretch : bf16_words(pairs, stretch);
    float* packed = right;
    for (int i = 0; i < count; ++i) {
      const Panels panels(products[i].columns);
      const auto row = [&](long k) { return products[i].right[k0 + k]; };
      if (pairs == kNoBf16)
        pack_columns(row, stretch, panels, packed, {0, panels.panels});
      else
        pack_column_words(pairs, row, stretch, panels, packed, {0, panels.panels});
      packed += panels.blocks * W * by.words;
    }
    for (long group = begin; group < end; group += by.group) {
      const long group_end = std::min(end, group + by.group);
      if (pairs == kNoBf16)
        transpose_group(left_rows + k0, stretch, group, group_end, left, by.words);
      else
        transpose_words(pairs, left_rows + k0, stretch, group, group_end, left, by.words);
      packed = right;
      for (int i = 0; i < count; ++i) {
        for (const OuterProduct::Piece& piece : products[i].pieces) {
          const long first = std::max(group, piece.left_begin), last = std::min(group_end, piece.left_end);
          if (first < last)
            add_rows(pairs, left, first - group, last - group, length, products[i], packed,
                     piece.to + (first - piece.left_begin) * products[i].columns, k0 == 0 && !add, zeros);
        }
        packed += round_up(products[i].columns, W) * by.words;
      }
    }
  }
}

}  // namespace gatewise
