// Finds AMX's tiles and sets their shapes.
#include "amx.h"

#if defined(GATEWISE_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace gatewise {

#if defined(GATEWISE_AMX)
namespace {

thread_local int tile_rows = 0;

// The memory image that sets the shapes of all tiles.
struct Shapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(Shapes) == 64, "as the processor reads it");

// The bits of leaf 7, register EDX, where tiles may be used; else none.
unsigned find_amx() {
  unsigned a, b, c, d, features;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &features)) return 0;
  constexpr unsigned kTile = 1u << 24;
  if ((features & kTile) == 0) return 0;
  if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || (c & (1u << 27)) == 0) return 0;  // xgetbv may be used
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3u << 17;
  if ((low & kTileState) != kTileState) return 0;
  constexpr long kAskForState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, for all threads of the process
  return syscall(SYS_arch_prctl, kAskForState, kTileData) == 0 ? features : 0;
}

}  // namespace

bool has_amx(AmxFeature feature) {
  static const unsigned features = find_amx();
  return (features & unsigned(feature)) != 0;
}

int amx_rows() { return tile_rows; }

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
    shapes.rows[n] = uint8_t(n < 6 ? rows : 16);
  }
  __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
}
#else
bool has_amx(AmxFeature) { return false; }
int amx_rows() { return 0; }
void amx_shape(int) {}
#endif

}  // namespace gatewise
