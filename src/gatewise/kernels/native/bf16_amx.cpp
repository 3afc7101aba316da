// The tile products of bf16_tile.h with AMX: one instruction multiplies 16 rows of 32 numbers by 32 rows of 16.
#include "amx.h"
#include "bf16.h"

#if defined(GATEWISE_AMX)
#include "bf16_tile.h"
#endif

namespace gatewise {

#if defined(GATEWISE_AMX)
namespace {

struct Amx {
  static int rows() { return amx_rows(); }
  template <int N> GATEWISE_INLINE void load_sums(const float* from, long stride) { load_tile<N>(from, stride); }
  template <int N> GATEWISE_INLINE void load_rows(const float* from, long stride) { load_tile<N>(from, stride); }
  template <int N> GATEWISE_INLINE void load_weights(const float* from, long stride) { load_tile<N>(from, stride); }
  template <int N> GATEWISE_INLINE void store_sums(float* to, long stride) { store_tile<N>(to, stride); }
  template <int Sums, int Rows, int Weights> GATEWISE_INLINE void multiply() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Rows), "i"(Weights));
  }
};

}  // namespace

ProductTile amx_product_tile(Product product, int rows) { return pick_unit_tile<Amx>(product, rows); }
#else
ProductTile amx_product_tile(Product, int) { return nullptr; }
#endif

bool has_amx_bf16() { return has_amx(AmxFeature::kBf16); }

}  // namespace gatewise
