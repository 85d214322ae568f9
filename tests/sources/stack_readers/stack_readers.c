//! Stacks printed by libbacktrace, which reads names and lines from the files that dl_iterate_phdr names.
//# link: -lbacktrace
//# linkers: lld
//# prints: leaf < one < main
//# prints: leaf < two < main
//# prints: leaf < in_child < main
//# prints: child 0
//# prints: next descriptor 3
//# prints: leaf < three < main
//# stats: compiled >= 4
//# dynamic: nothing is interposed there: compiled code has no names
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// backtrace.h lies in a directory of GCC's.
struct backtrace_state;
typedef void (*on_error)(void *, const char *, int);
typedef int (*on_frame)(void *, uintptr_t, const char *, int, const char *);
typedef void (*on_symbol)(void *, uintptr_t, const char *, uintptr_t, uintptr_t);
struct backtrace_state *backtrace_create_state(const char *, int, on_error, void *);
int backtrace_full(struct backtrace_state *, int, on_frame, on_error, void *);
int backtrace_simple(struct backtrace_state *, int, int (*)(void *, uintptr_t), on_error, void *);
int backtrace_syminfo(struct backtrace_state *, uintptr_t, on_symbol, on_error, void *);

static struct backtrace_state *state;

static void error(void *data, const char *message, int number) { printf("error %s %d\n", message, number); }

// Lines are there with -g only.
static int frame(void *data, uintptr_t pc, const char *file, int line, const char *function) {
  const char *slash = file ? strrchr(file, '/') : NULL;
  printf("  %s %s:%d\n", function ? function : "?", slash ? slash + 1 : "?", line);
  return function && strcmp(function, "main") == 0;
}

static void symbol(void *data, uintptr_t pc, const char *name, uintptr_t value, uintptr_t size) {
  if (name)
    strcat(strcat(data, ((char *)data)[0] ? " < " : ""), name);
}

static int address(void *data, uintptr_t pc) {
  backtrace_syminfo(state, pc, symbol, error, data);
  size_t length = strlen(data);
  return length >= 4 && strcmp((char *)data + length - 4, "main") == 0;
}

static int is_ready;

__attribute__((noinline)) void leaf(void) {
  if (!is_ready)
    return;
  char names[1024] = "";
  backtrace_simple(state, 0, address, error, names);
  printf("%s\n", names);
  backtrace_full(state, 0, frame, error, NULL);
}

__attribute__((noinline)) void one(void) {
  leaf();
  asm volatile("");
}

__attribute__((noinline)) void two(void) {
  leaf();
  asm volatile("");
}

__attribute__((noinline)) void in_child(void) {
  leaf();
  asm volatile("");
}

__attribute__((noinline)) void three(void) {
  leaf();
  asm volatile("");
}

// Called through a pointer, so that it is compiled when the first stacks are printed already.
void (*volatile third)(void) = three;

int main(void) {
  // A reader that asks once knows what is compiled by then.
  one();
  two();
  in_child();
  is_ready = 1;
  state = backtrace_create_state(NULL, 0, error, NULL);
  one();
  two();
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    in_child();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  printf("child %d\n", status);
  printf("next descriptor %d\n", open("/dev/null", O_RDONLY));
  // A library that asks for the first time now.
  state = backtrace_create_state(NULL, 0, error, NULL);
  third();
  return 0;
}
