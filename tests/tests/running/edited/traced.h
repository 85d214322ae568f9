// Lines are put in front of this.
static inline __attribute__((always_inline)) unsigned in_header(int show, unsigned x) {
  if (show)
    __sanitizer_print_stack_trace();
  return x * 7;
}
