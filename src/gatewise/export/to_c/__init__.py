"""The target C: one `.c` and one `.h` in C99, without allocation, with no library but `<math.h>`."""
