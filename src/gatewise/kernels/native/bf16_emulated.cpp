// The tile products of bf16_tile.h in plain vector code, tile by tile as AMX makes them: for tests on any CPU.
#include "bf16_tile.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;

struct Tiles {
  int rows = 0;
  alignas(64) float sums[4][kUnitRows][W];
  alignas(64) int32_t row[2][kUnitRows][kUnitWords];
  alignas(64) int32_t weights[2][kUnitWords][W];
};
thread_local Tiles tiles;

struct Emulated {
  static int rows() { return tiles.rows; }
  template <int N> static void load_sums(const float* from, long stride) {
    for (int r = 0; r < tiles.rows; ++r) std::memcpy(tiles.sums[N][r], from + r * stride, sizeof tiles.sums[N][r]);
  }
  template <int N> static void store_sums(float* to, long stride) {
    for (int r = 0; r < tiles.rows; ++r) std::memcpy(to + r * stride, tiles.sums[N][r], sizeof tiles.sums[N][r]);
  }
  template <int N> static void load_rows(const float* from, long stride) {
    for (int r = 0; r < tiles.rows; ++r) std::memcpy(tiles.row[N - 4][r], from + r * stride, sizeof tiles.row[N - 4][r]);
  }
  template <int N> static void load_weights(const float* from, long stride) {
    for (int k = 0; k < kUnitWords; ++k)
      std::memcpy(tiles.weights[N - 6][k], from + k * stride, sizeof tiles.weights[N - 6][k]);
  }
  static Float<W> low(Int<W> words) { return from_bits<W>(words << 16); }
  static Float<W> high(Int<W> words) { return from_bits<W>(words & int32_t(0xffff0000u)); }
  template <int Sums, int Rows, int Weights> static void multiply() {
    for (int r = 0; r < tiles.rows; ++r) {
      Float<W> sum = load<W>(tiles.sums[Sums][r]);
      for (int k = 0; k < kUnitWords; ++k) {
        const Int<W> value = Int<W>{} + tiles.row[Rows - 4][r][k];
        Int<W> weight;
        std::memcpy(&weight, tiles.weights[Weights - 6][k], sizeof weight);
        sum += low(value) * low(weight);
        sum += high(value) * high(weight);
      }
      store(tiles.sums[Sums][r], sum);
    }
  }
};

}  // namespace

ProductTile emulated_product_tile(Product product, int rows) { return pick_unit_tile<Emulated>(product, rows); }

void emulated_shape(int rows) { tiles.rows = rows; }

}  // namespace gatewise
