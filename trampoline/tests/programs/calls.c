// Lazy functions with arguments of every shape, and their callers: tests/calls.rs. Each `call_*` returns 0 or the
// number of the line that went wrong. Bodies are what the resolver publishes.
#include <complex.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)
#define NOINLINE __attribute__((noinline))

const void *registered;
void __autojit_register(const void *record) { registered = record; }

struct big { long words[9]; char tail; };

// 0: varargs, whose al must arrive too
double lazy_sum(int count, ...);
static double body_sum(int count, ...) {
  va_list list;
  va_start(list, count);
  double sum = 0;
  for (int i = 0; i < count; i++) sum += i % 2 ? va_arg(list, double) : va_arg(list, int);
  va_end(list);
  return sum;
}
int call_sum(void) {
  CHECK(lazy_sum(20, 1, .5, 2, .5, 3, .5, 4, .5, 5, .5, 6, .5, 7, .5, 8, .5, 9, .5, 10, .5) == 60);
  return 0;
}

// 1: a big struct by value (memory), and one as the result (hidden pointer in, the same in rax out)
struct big lazy_big(struct big, int, struct big);
static struct big body_big(struct big a, int factor, struct big b) {
  for (int i = 0; i < 9; i++) a.words[i] = a.words[i] * factor + b.words[8 - i];
  a.tail = b.tail;
  return a;
}
int call_big(void) {
  struct big a = {{1, 2, 3, 4, 5, 6, 7, 8, 9}, 'a'}, b = {{10, 20, 30, 40, 50, 60, 70, 80, 90}, 'b'};
  struct big c = lazy_big(a, 3, b);
  for (int i = 0; i < 9; i++) CHECK(c.words[i] == a.words[i] * 3 + b.words[8 - i]);
  CHECK(c.tail == 'b' && a.tail == 'a');
  return 0;
}

// 2 and 3: calls_wide.c
void body_256(void), body_512(void);

// 4: x87 arguments (memory) and a result in st(0)
long double lazy_x87(long double, _Complex double);
static long double body_x87(long double a, _Complex double b) { return a * creal(b) - cimag(b); }
int call_x87(void) {
  CHECK(lazy_x87(3.0L, 5 + 2 * I) == 13.0L);
  return 0;
}

// 5: conventions that use what the C convention leaves free
__attribute__((preserve_none)) long lazy_none(long, long, long, long, long, long, long, long, long, long, long, long);
__attribute__((preserve_none)) static long body_none(long a, long b, long c, long d, long e, long f, long g, long h,
                                                     long i, long j, long k, long l) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l;
}
int call_none(void) {
  CHECK(lazy_none(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) == 650);
  return 0;
}

// 6: swift's context and error registers
#define SWIFT __attribute__((swiftcall))
SWIFT long lazy_swift(long, __attribute__((swift_context)) void *, __attribute__((swift_error_result)) void **);
SWIFT static long body_swift(long a, __attribute__((swift_context)) void *context,
                             __attribute__((swift_error_result)) void **error) {
  *error = (char *)*error + 5;
  return a + (long)context;
}
int call_swift(void) {
  void *error = 0;
  CHECK(lazy_swift(1, (void *)1000, &error) == 1001 && error == (void *)5);
  return 0;
}

// 7: regcall: sixteen vector registers, twelve general ones (clang adds a prefix to the symbol)
__attribute__((regcall)) double lazy_regcall(long, long, long, long, long, long, long, long, long, long, double, double,
                                             double, double, double, double, double, double, double, double);
__attribute__((regcall)) static double body_regcall(long a, long b, long c, long d, long e, long f, long g, long h,
                                                    long i, long j, double k, double l, double m, double n, double o,
                                                    double p, double q, double r, double s, double t) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + k + 2 * l + 3 * m + 4 * n +
         5 * o + 6 * p + 7 * q + 8 * r + 9 * s + 10 * t;
}
int call_regcall(void) {
  CHECK(lazy_regcall(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) == 770);
  return 0;
}

// 8: a lazy function in tail position, reached by a jump, and errno across its first call
int lazy_plain(int);
static int body_plain(int a) { return a + 1; }
NOINLINE static int tail(int a) { __attribute__((musttail)) return lazy_plain(a + 1); }
int call_tail(void) {
  errno = 77;
  CHECK(tail(40) == 42);
  CHECK(errno == 77);
  return 0;
}

// 9 and 10: a first call on a signal stack of 16 KiB, of which a first call's worth must be enough. Below the stack
// is a page that faults.
int lazy_in_handler(int);
static int body_in_handler(int a) { return a * 2; }
static volatile int handler_result;
static void handler(int number) { handler_result = lazy_in_handler(number) + lazy_plain(0); }
int call_on_signal_stack(void) {
  enum { size = 16 << 10, guard = 4096 };
  char *memory = mmap(0, guard + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED && mprotect(memory, guard, PROT_NONE) == 0);
  stack_t stack = {.ss_sp = memory + guard, .ss_size = size}, before;
  CHECK(sigaltstack(&stack, &before) == 0);
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK}, old;
  CHECK(sigaction(SIGUSR1, &action, &old) == 0);
  handler_result = 0;
  raise(SIGUSR1);
  CHECK(handler_result == SIGUSR1 * 2 + 1);
  CHECK(sigaction(SIGUSR1, &old, 0) == 0 && sigaltstack(&before, 0) == 0 && munmap(memory, guard + size) == 0);
  return 0;
}

// The signal mask is the program's again afterwards.
int call_keeps_signal_mask(void) {
  sigset_t mask, before, after;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  CHECK(pthread_sigmask(SIG_BLOCK, &mask, &before) == 0);
  CHECK(lazy_plain(1) == 2);
  CHECK(pthread_sigmask(SIG_SETMASK, &before, &after) == 0);
  for (int number = 1; number < 65; number++)
    CHECK(sigismember(&after, number) == (number == SIGUSR2 || sigismember(&before, number) == 1));
  return 0;
}

void *const bodies[] = {body_sum,  body_big,   body_256,     body_512,   body_x87,
                        body_none, body_swift, body_regcall, body_plain, body_in_handler};
