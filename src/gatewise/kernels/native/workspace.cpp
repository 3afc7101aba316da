// The pool behind Workspace.
#include "workspace.h"

#include <cstdlib>
#include <mutex>
#include <new>

namespace gatewise {

class Pool {
 public:
  // The smallest kept block of at least `size` and at most twice that; a new one if there is none.
  Workspace::Block take(std::size_t size) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::size_t best = kept_.size();
      for (std::size_t i = 0; i < kept_.size(); ++i)
        if (kept_[i].size >= size && kept_[i].size <= 2 * size + 65536 &&
            (best == kept_.size() || kept_[i].size < kept_[best].size))
          best = i;
      if (best != kept_.size()) {
        const Workspace::Block block = kept_[best];
        kept_[best] = kept_.back();
        kept_.pop_back();
        held_ -= block.size;
        return block;
      }
    }
    void* data = std::aligned_alloc(64, size);
    if (data == nullptr) throw std::bad_alloc();
    return {data, size};
  }

  void give_back(const std::vector<Workspace::Block>& blocks) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const Workspace::Block& block : blocks) {
      if (held_ + block.size > kLimit || kept_.size() >= 64) {
        std::free(block.data);
      } else {
        kept_.push_back(block);
        held_ += block.size;
      }
    }
  }

  ~Pool() {
    for (const Workspace::Block& block : kept_) std::free(block.data);
  }

 private:
  static constexpr std::size_t kLimit = std::size_t(96) << 20;  // bytes kept between calls
  std::mutex mutex_;
  std::vector<Workspace::Block> kept_;
  std::size_t held_ = 0;
};

namespace {
Pool& pool() {
  static Pool shared;
  return shared;
}
}  // namespace

void* Workspace::bytes(std::size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr std::size_t kSmall = 0, kShared = 0;  // apart, so that each has guards of its own
#else
  constexpr std::size_t kSmall = 2048, kShared = 16384;
#endif
  size = (size + 63) / 64 * 64;
  const bool small = size <= kSmall;
  if (!small || small_left_ < size) {
    taken_.reserve(taken_.size() < 8 ? 8 : taken_.size() + 1);
    taken_.push_back(pool().take(small ? kShared : size));
    if (!small) return taken_.back().data;
    small_ = static_cast<char*>(taken_.back().data);
    small_left_ = kShared;
  }
  char* found = small_;
  small_ += size;
  small_left_ -= size;
  return found;
}

Workspace::~Workspace() {
  if (!taken_.empty()) pool().give_back(taken_);
}

}  // namespace gatewise
