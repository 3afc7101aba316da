// The tile products of int8.h with AVX-512 VNNI, whose one instruction is a product, a sum of two and a sum.
#include "int8.h"

#if defined(__AVX512F__) && (defined(__clang__) || __GNUC__ >= 10)
#define GATEWISE_VNNI 1
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512vnni")
#endif
#include "int8_tile.h"
#endif

namespace gatewise {

ProductTile int8_vnni_product_tile([[maybe_unused]] Product product, [[maybe_unused]] int rows) {
#if defined(GATEWISE_VNNI)
  static const bool here = __builtin_cpu_supports("avx512vnni");
  if (here) return pick<kTileRows>(int(product), rows);
#endif
  return nullptr;
}

}  // namespace gatewise

#if defined(GATEWISE_VNNI) && defined(__clang__)
#pragma clang attribute pop
#endif
