// The tile products of bf16_tile.h with AMX: one instruction multiplies 16 rows of 32 numbers by 32 rows of 16.
//
// The instructions are written as assembly, since the compilers' functions for them take literal numbers of tiles only.
#include "bf16.h"

#if defined(__AVX512F__) && defined(__x86_64__) && defined(__linux__) && (defined(__clang__) || __GNUC__ >= 11)
#define GATEWISE_AMX 1
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bf16_tile.h"
#endif

namespace gatewise {

#if defined(GATEWISE_AMX)
namespace {

thread_local int tile_rows = 0;

struct Amx {
  static int rows() { return tile_rows; }
  template <int N> GATEWISE_INLINE void load(const float* from, long stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride * 4), "i"(N) : "memory");
  }
  template <int N> GATEWISE_INLINE void load_sums(const float* from, long stride) { load<N>(from, stride); }
  template <int N> GATEWISE_INLINE void load_rows(const float* from, long stride) { load<N>(from, stride); }
  template <int N> GATEWISE_INLINE void load_weights(const float* from, long stride) { load<N>(from, stride); }
  template <int N> GATEWISE_INLINE void store_sums(float* to, long stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride * 4), "i"(N) : "memory");
  }
  template <int Sums, int Rows, int Weights> GATEWISE_INLINE void multiply() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Rows), "i"(Weights));
  }
};

// The memory image that sets the shapes of all tiles.
struct Shapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(Shapes) == 64, "as the processor reads it");

bool find_amx() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
  if ((d & kBf16) == 0 || (d & kTile) == 0) return false;
  if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || (c & (1u << 27)) == 0) return false;  // xgetbv may be used
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3u << 17;
  if ((low & kTileState) != kTileState) return false;
  constexpr long kAskForState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, for all threads of the process
  return syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
}

}  // namespace

bool has_amx_bf16() {
  static const bool here = find_amx();
  return here;
}

ProductTile amx_product_tile(Product product, int rows) { return pick_unit_tile<Amx>(product, rows); }

void amx_shape(int rows) {
  if (rows == tile_rows) return;
  tile_rows = rows;
  if (rows == 0) {
    __asm__ volatile("tilerelease");
    return;
  }
  Shapes shapes;
  for (int n = 0; n < 8; ++n) {
    shapes.row_bytes[n] = 64;
    shapes.rows[n] = uint8_t(n < 6 ? rows : kUnitWords);
  }
  __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
}
#else
bool has_amx_bf16() { return false; }
ProductTile amx_product_tile(Product, int) { return nullptr; }
void amx_shape(int) {}
#endif

}  // namespace gatewise
