//! The library of names.cpp.
extern "C" __attribute__((noinline)) void in_library(void (*call)()) {
  call();
  asm volatile("");
}
