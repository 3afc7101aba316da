// What this CPU can run, asked of the CPU itself (and of the operating system, which must save the wide registers).
#include <cstdint>

extern "C" {

// Bit set of the variants that this CPU can run: 1 baseline or neon, 2 avx2, 4 avx512, 8 avx512 with bf16 products.
__attribute__((visibility("default"))) int32_t gatewise_cpu_features() {
  int32_t features = 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) features |= 2;
  if ((features & 2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    features |= 4;
    if (__builtin_cpu_supports("avx512bf16")) features |= 8;
  }
#endif
  return features;
}

}
