// Dealing the rows of a batch to threads.
#include "sequence.h"

#include <algorithm>
#include <numeric>

namespace gatewise {

namespace {

// Longest first; equal lengths keep their order, so the same batch is always dealt the same way.
void sort_by_length(const Sequence& q, long* order) {
  std::iota(order, order + q.batch, 0L);
  if (q.lengths != nullptr)
    std::stable_sort(order, order + q.batch, [&](long a, long b) { return q.lengths[a] > q.lengths[b]; });
}

}  // namespace

Status make_plan(const Sequence& q, int threads, double weights, Sharing shared, Workspace& workspace, Plan* plan) {
  const long batch = q.batch;
  plan->real_steps = q.steps * batch;
  if (q.lengths != nullptr) {
    plan->real_steps = 0;
    for (long b = 0; b < batch; ++b) {
      if (q.lengths[b] < 0 || q.lengths[b] > q.steps) return kBadLength;
      plan->real_steps += q.lengths[b];
    }
    plan->ragged = plan->real_steps != q.steps * batch;
  }
  long* order = workspace.take<long>(batch);
  sort_by_length(q, order);
  const bool few_rows = batch < 2 * threads && q.hidden_size > kWidth;
  const bool many_weights = weights > shared.weights && q.hidden_size >= threads * shared.units;
  plan->split_units = threads > 1 && (few_rows || many_weights);
  const int groups = plan->split_units ? 1 : threads;
  plan->rows = workspace.take<Rows>(groups);
  long* dealt = workspace.take<long>(batch);
  long* lengths = workspace.take<long>(batch);
  long used = 0;
  for (int group = 0; group < groups; ++group) {
    const long first = used;
    if (!plan->ragged) {
      const Range mine = share(batch, group, groups);
      for (long i = mine.begin; i < mine.end; ++i) dealt[used++] = order[i];
    } else {
      // There and back again: 0 1 2 2 1 0 0 1 2 ..., so that every thread gets long and short rows alike.
      for (long i = 0; i < batch; ++i) {
        const long lap = i / groups, seat = i % groups;
        if ((lap % 2 == 0 ? seat : groups - 1 - seat) == group) dealt[used++] = order[i];
      }
    }
    plan->rows[group] = {dealt + first, lengths + first, used - first};
  }
  for (long i = 0; i < batch; ++i) lengths[i] = q.lengths != nullptr ? q.lengths[dealt[i]] : q.steps;
  return kOk;
}

int useful_threads(const Sequence& q, double work) {
  if (work < 2e5) return 1;  // a few microseconds: less than waking the others costs
  return int(std::max<int64_t>(1, q.threads));
}

}  // namespace gatewise
