// What is chosen, in one place; whoever shows it subscribes.

/**
 * A store: `state` is read, `set` changes it and calls the subscribers once before the next frame.
 *
 * step: the step looked at; null: the last one, also while the input grows.
 * stretched: whether the maps' colours span the values that occur instead of all possible ones.
 * target: name of the answer whose reasons are shown; null: the network's own answer.
 * method: of the reasons.
 * runs: per run its gate, unit, place (stack, layer, direction) and written word, each null until chosen.
 */
export function makeStore(runCount) {
  const state = {
    step: null,
    target: null,
    stretched: false,
    method: "integrated-gradients",
    runs: Array.from({ length: runCount }, () => ({ gate: null, unit: null, place: null, word: null })),
  };
  const subscribers = [];
  let waiting = false;
  const draw = () => {
    waiting = false;
    for (const subscriber of subscribers) subscriber(state);
  };
  const schedule = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(draw);
  };
  return {
    state,
    subscribe(subscriber) { subscribers.push(subscriber); },
    schedule,
    set(changes) {
      Object.assign(state, changes);
      schedule();
    },
    setRun(number, changes) {
      Object.assign(state.runs[number], changes);
      schedule();
    },
  };
}
