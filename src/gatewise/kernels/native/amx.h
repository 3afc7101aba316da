// The tile registers of AMX: whether they are there, their shapes, and moves to and from them.
//
// Tiles 0 to 5 have as many rows as amx_shape was told, 6 and 7 have 16; a row has 64 bytes. The instructions are written as
// assembly, since the compilers' functions for them take literal numbers of tiles only.
#pragma once

#include "vector.h"

#if defined(__AVX512F__) && defined(__x86_64__) && defined(__linux__) && (defined(__clang__) || __GNUC__ >= 11)
#define GATEWISE_AMX 1
#endif

namespace gatewise {

// What tiles multiply, as the bits of CPUID's leaf 7, register EDX.
enum class AmxFeature : unsigned { kBf16 = 1u << 22, kInt8 = 1u << 25 };

// Whether CPU and operating system have tiles and these products; asks the operating system for the tiles, once.
bool has_amx(AmxFeature feature);

// Sets the shapes of this thread's tiles, whose rows a product's time goes by; 0: gives them back.
void amx_shape(int rows);
int amx_rows();

#if defined(GATEWISE_AMX)
// From and to rows that lie `stride` words from each other.
template <int N> GATEWISE_INLINE void load_tile(const float* from, long stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride * 4), "i"(N) : "memory");
}
template <int N> GATEWISE_INLINE void store_tile(float* to, long stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride * 4), "i"(N) : "memory");
}
template <int N> GATEWISE_INLINE void zero_tile() { __asm__ volatile("tilezero %%tmm%c0" : : "i"(N)); }
#endif

}  // namespace gatewise
