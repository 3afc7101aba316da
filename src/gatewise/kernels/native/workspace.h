// Scratch memory that is kept between calls: fresh pages cost the kernel up to a third of a training step.
#pragma once

#include <cstddef>
#include <vector>

namespace gatewise {

// The scratch blocks of one call, each aligned to a cache line; they go back to the shared pool when the call ends.
// Taking a block is safe from several threads' calls at once; one Workspace belongs to one call.
class Workspace {
 public:
  Workspace() = default;
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Room for `count` values of T, contents undefined. Throws std::bad_alloc.
  template <class T> T* take(long count) { return static_cast<T*>(bytes(std::size_t(count > 0 ? count : 1) * sizeof(T))); }
  // The same, filled with zero bytes.
  template <class T> T* take_zeroed(long count) {
    T* block = take<T>(count);
    __builtin_memset(static_cast<void*>(block), 0, std::size_t(count > 0 ? count : 1) * sizeof(T));
    return block;
  }

 private:
  struct Block {
    void* data;
    std::size_t size;
  };
  friend class Pool;
  void* bytes(std::size_t size);
  std::vector<Block> taken_;
  char* small_ = nullptr;      // what is left of a block that small requests share: a call of one step makes a dozen
  std::size_t small_left_ = 0;
};

}  // namespace gatewise
