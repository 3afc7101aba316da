// Random masks: a hash of an entry's number and two seeds decides each entry by itself, so that any thread, in any
// order, in vectors of any width, makes the same mask; and so does kernels/fused/mask.py in plain PyTorch.
#include "parallel.h"

namespace gatewise {
namespace {

typedef uint32_t Words __attribute__((vector_size(4 * kWidth)));
typedef uint8_t Bytes __attribute__((vector_size(kWidth)));

// Every bit of the result depends on every bit of x: two multiplications between three shifts (the constants are those
// of Chris Wellons' search for the least bias, 2018).
GATEWISE_INLINE Words mixed(Words x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// Entries begin .. end of `mask`: 1 where the hash is below `threshold`, else 0.
void fill(uint8_t* mask, Range entries, uint32_t first_seed, uint32_t second_seed, uint32_t threshold) {
  Words lane;
  for (int i = 0; i < kWidth; ++i) lane[i] = uint32_t(i);
  for (long at = entries.begin; at < entries.end; at += kWidth) {
    const Words hash = mixed(mixed((lane + uint32_t(at)) ^ first_seed) + second_seed);
    const Words chosen = hash < threshold ? Words{} + 1u : Words{};
    const Bytes bytes = __builtin_convertvector(chosen, Bytes);
    const long count = entries.end - at;
    std::memcpy(mask + at, &bytes, count < kWidth ? size_t(count) : size_t(kWidth));
  }
}

}  // namespace
}  // namespace gatewise

extern "C" __attribute__((visibility("default"))) void gatewise_mask(uint8_t* mask, int64_t count, uint32_t first_seed,
                                                                     uint32_t second_seed, uint32_t threshold,
                                                                     int32_t threads) {
  using namespace gatewise;
  in_parallel(
      count < 65536 ? 1 : threads, [](int) { return true; },
      [&](int thread, int team, Barrier&) {
        fill(mask, share(long(count), thread, team), first_seed, second_seed, threshold);
      });
}
