// Float lanes of one CPU register, written once for every instruction set.
//
// Float<W> is W float32 side by side (W = 16: AVX-512, 8: AVX2, 4: SSE2 and NEON), a vector type of GCC and Clang.
// The ordinary operators work on it lane by lane, also with a scalar on one side: `a * b + 1.0f`. The build passes
// -ffp-contract=fast, so a product followed by a sum becomes one fused instruction where the CPU has it.
// Comparisons give Int<W>: every bit set where true, zero where false; `select` reads that.
//
// Beside the operators a kernel needs: broadcast, load and store (any address), load and store of the first n lanes
// (never touching memory past them), select, smaller and larger (NaN passes), absolute, and one sum over the lanes.
// The few places where an instruction has no vector-language form are the #if blocks at the end of this file.
#pragma once

#include <cstdint>
#include <cstring>

#define GATEWISE_INLINE static inline __attribute__((always_inline))

#ifndef GATEWISE_WIDTH
#define GATEWISE_WIDTH 4
#endif

namespace gatewise {

template <int W> struct Lanes;
template <> struct Lanes<16> {
  typedef float Floats __attribute__((vector_size(64)));
  typedef int32_t Ints __attribute__((vector_size(64)));
};
template <> struct Lanes<8> {
  typedef float Floats __attribute__((vector_size(32)));
  typedef int32_t Ints __attribute__((vector_size(32)));
};
template <> struct Lanes<4> {
  typedef float Floats __attribute__((vector_size(16)));
  typedef int32_t Ints __attribute__((vector_size(16)));
};

template <int W> using Float = typename Lanes<W>::Floats;
template <int W> using Int = typename Lanes<W>::Ints;

// Lane count of a vector type: lanes<Float<8>> == 8. Lets a function take a Float<W> without naming W.
template <class F> constexpr int lanes = int(sizeof(F) / sizeof(float));
template <class F> using IntOf = Int<lanes<F>>;

// The instruction set this translation unit is compiled for.
constexpr int kWidth = GATEWISE_WIDTH;

template <int W> GATEWISE_INLINE Float<W> broadcast(float value) { return value - Float<W>{}; }
template <int W> GATEWISE_INLINE Float<W> zero() { return Float<W>{}; }

// W floats from any address.
template <int W> GATEWISE_INLINE Float<W> load(const float* from) {
  Float<W> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// W floats from an address that is a multiple of 4 W bytes.
template <int W> GATEWISE_INLINE Float<W> load_aligned(const float* from) {
  return *reinterpret_cast<const Float<W>*>(__builtin_assume_aligned(from, sizeof(Float<W>)));
}

// All lanes to any address.
template <class F> GATEWISE_INLINE void store(float* to, F value) { std::memcpy(to, &value, sizeof value); }

// All lanes to an address that is a multiple of 4 W bytes.
template <class F> GATEWISE_INLINE void store_aligned(float* to, F value) {
  *reinterpret_cast<F*>(__builtin_assume_aligned(to, sizeof(F))) = value;
}

// The same bits, read as integers or as floats.
template <class F> GATEWISE_INLINE IntOf<F> bits_of(F value) { return reinterpret_cast<IntOf<F>>(value); }
template <int W> GATEWISE_INLINE Float<W> from_bits(Int<W> bits) { return reinterpret_cast<Float<W>>(bits); }

// Nearest-even integers are not promised: towards zero, as a C cast.
template <class F> GATEWISE_INLINE IntOf<F> to_int(F value) { return __builtin_convertvector(value, IntOf<F>); }
template <int W> GATEWISE_INLINE Float<W> to_float(Int<W> value) { return __builtin_convertvector(value, Float<W>); }

// where ? yes : no, lane by lane.
template <class F> GATEWISE_INLINE F select(IntOf<F> where, F yes, F no) { return where ? yes : no; }

// |value|, and the sign bit of value alone.
template <class F> GATEWISE_INLINE F absolute(F value) {
  return from_bits<lanes<F>>(bits_of(value) & 0x7fffffff);
}
template <class F> GATEWISE_INLINE IntOf<F> sign_bit(F value) { return bits_of(value) & int32_t(0x80000000u); }

// Lane sum, in a fixed order: neighbours at distance W/2 first, so the same bits every time.
template <class F> GATEWISE_INLINE float sum(F value) {
  float lane[lanes<F>];
  store(lane, value);
  for (int half = lanes<F> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
}

// ---- where an instruction has no form in the vector language -------------------------------------------------------

// smaller(limit, value), larger(limit, value): value clipped by limit from above or below. A NaN in `value` passes.
template <class F> GATEWISE_INLINE F smaller(F limit, F value) {
#if defined(__AVX512F__)
  if constexpr (lanes<F> == 16)
    return reinterpret_cast<F>(__builtin_ia32_minps512_mask(limit, value, value, -1, 4));
#endif
#if defined(__AVX__)
  if constexpr (lanes<F> == 8) return __builtin_ia32_minps256(limit, value);
#endif
#if defined(__SSE__)
  if constexpr (lanes<F> == 4) return __builtin_ia32_minps(limit, value);
#endif
  return select(limit < value, limit, value);
}
template <class F> GATEWISE_INLINE F larger(F limit, F value) {
#if defined(__AVX512F__)
  if constexpr (lanes<F> == 16)
    return reinterpret_cast<F>(__builtin_ia32_maxps512_mask(limit, value, value, -1, 4));
#endif
#if defined(__AVX__)
  if constexpr (lanes<F> == 8) return __builtin_ia32_maxps256(limit, value);
#endif
#if defined(__SSE__)
  if constexpr (lanes<F> == 4) return __builtin_ia32_maxps(limit, value);
#endif
  return select(limit > value, limit, value);
}

// Which lanes of a vector lie inside an array of `count` more elements: the first min(count, W). Made once per column
// of work, then used for every load and store there; lanes outside read as 0 and are never written.
template <int W> struct Part {
  int count;
#if defined(__AVX512F__)
  uint16_t mask;
#elif defined(__AVX__)
  Int<W> mask;
#endif
  explicit Part(long left) : count(left >= W ? W : int(left < 0 ? 0 : left)) {
#if defined(__AVX512F__)
    mask = uint16_t((1u << count) - 1u);
#elif defined(__AVX__)
    Int<W> lane;
    for (int i = 0; i < W; ++i) lane[i] = i;
    mask = lane < (Int<W>{} + count);
#endif
  }
  bool full() const { return count == W; }
};

template <int W> GATEWISE_INLINE Float<W> load(const float* from, const Part<W>& part) {
#if defined(__AVX512F__) && defined(__AVX512VL__)
  if constexpr (W == 16) return __builtin_ia32_loadups512_mask(from, Float<W>{}, part.mask);
#elif defined(__AVX__)
  if constexpr (W == 8) {
    if (part.full()) return load<W>(from);
    return __builtin_ia32_maskloadps256(reinterpret_cast<const Float<8>*>(from), part.mask);
  }
#endif
  if (part.full()) return load<W>(from);
  Float<W> value{};
  for (int i = 0; i < part.count; ++i) value[i] = from[i];
  return value;
}

template <int W> GATEWISE_INLINE void store(float* to, const Part<W>& part, Float<W> value) {
#if defined(__AVX512F__) && defined(__AVX512VL__)
  if constexpr (W == 16) {
    __builtin_ia32_storeups512_mask(to, value, part.mask);
    return;
  }
#elif defined(__AVX__)
  if constexpr (W == 8) {
    if (part.full()) return store(to, value);
    __builtin_ia32_maskstoreps256(reinterpret_cast<Float<8>*>(to), part.mask, value);
    return;
  }
#endif
  if (part.full()) return store(to, value);
  for (int i = 0; i < part.count; ++i) to[i] = value[i];
}

// While one lives, this thread's arithmetic treats subnormal numbers (below 2^-126) as zero: they cost a hundred
// cycles each and appear whenever a gate stays shut for long. The former mode comes back with the destructor.
class FlushSubnormals {
 public:
  FlushSubnormals() : former_(mode()) { set_mode(former_ | kFlush); }
  ~FlushSubnormals() { set_mode(former_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__SSE__)
  using Mode = unsigned;
  static constexpr Mode kFlush = 0x8040;  // flush results, read operands as zero
  static Mode mode() { return __builtin_ia32_stmxcsr(); }
  static void set_mode(Mode mode) { __builtin_ia32_ldmxcsr(mode); }
#elif defined(__aarch64__)
  using Mode = uint64_t;
  static constexpr Mode kFlush = uint64_t(1) << 24;
  static Mode mode() {
    Mode value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_mode(Mode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
  using Mode = int;
  static constexpr Mode kFlush = 0;
  static Mode mode() { return 0; }
  static void set_mode(Mode) {}
#endif
  Mode former_;
};

}  // namespace gatewise
