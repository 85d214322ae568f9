// Walks the stack from the resolver and from each single instruction of the trampoline: tests/unwind.rs.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>
#include <unwind.h>

int lazy_target(int);
static int body_target(int a) { return a + 1; }
void *const bodies[] = {body_target};

// Where the entry pointer is to lead once boot code has called __autojit_register: publishes body_target, without
// blocking signals as the trampoline does, so that stepping goes on.
void **entry_pointer, **slot_target;
void publish_target(void);
__asm__(".text\n"
        ".type publish_target,@function\n"
        "publish_target:\n"
        ".cfi_startproc\n"
        "pushq %rax\n.cfi_adjust_cfa_offset 8\n"
        "pushq %rcx\n.cfi_adjust_cfa_offset 8\n"
        "movq slot_target@GOTPCREL(%rip),%rax\n"
        "movq (%rax),%rax\n"
        "movq bodies@GOTPCREL(%rip),%rcx\n"
        "movq (%rcx),%rcx\n"
        "movq %rcx,(%rax)\n"
        "popq %rcx\n.cfi_adjust_cfa_offset -8\n"
        "popq %rax\n.cfi_adjust_cfa_offset -8\n"
        "retq\n"
        ".cfi_endproc\n"
        ".size publish_target,.-publish_target\n");

const void *registered;
void __autojit_register(const void *record) {
  registered = record;
  if (entry_pointer) *entry_pointer = publish_target;
}

// Calls function(argument) with known values in the registers that a function must preserve, and with the trap flag
// set if `traps` is. The values are what walk() must find again.
int stepping_caller(int (*function)(int), int argument, int traps);
uint64_t caller_sp;
__asm__(".text\n"
        ".globl stepping_caller\n"
        ".type stepping_caller,@function\n"
        "stepping_caller:\n"
        ".cfi_startproc\n"
        "pushq %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_offset %rbp,-16\n"
        "pushq %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_offset %rbx,-24\n"
        "pushq %r12\n.cfi_adjust_cfa_offset 8\n.cfi_offset %r12,-32\n"
        "pushq %r13\n.cfi_adjust_cfa_offset 8\n.cfi_offset %r13,-40\n"
        "pushq %r14\n.cfi_adjust_cfa_offset 8\n.cfi_offset %r14,-48\n"
        "pushq %r15\n.cfi_adjust_cfa_offset 8\n.cfi_offset %r15,-56\n"
        "subq $8,%rsp\n.cfi_adjust_cfa_offset 8\n"
        "movq caller_sp@GOTPCREL(%rip),%rax\n"
        "movq %rsp,(%rax)\n"
        "movq %rdi,%rax\n"
        "movl %esi,%edi\n"
        "movq $0x1003,%rbx\n"
        "movq $0x1006,%rbp\n"
        "movq $0x100c,%r12\n"
        "movq $0x100d,%r13\n"
        "movq $0x100e,%r14\n"
        "movq $0x100f,%r15\n"
        "testl %edx,%edx\n"
        "jz 1f\n"
        "pushfq\n.cfi_adjust_cfa_offset 8\n"
        "orq $0x100,(%rsp)\n"
        "popfq\n.cfi_adjust_cfa_offset -8\n"
        "1: callq *%rax\n"
        "pushfq\n.cfi_adjust_cfa_offset 8\n"
        "andq $~0x100,(%rsp)\n"
        "popfq\n.cfi_adjust_cfa_offset -8\n"
        "addq $8,%rsp\n.cfi_adjust_cfa_offset -8\n"
        "popq %r15\n.cfi_adjust_cfa_offset -8\n"
        "popq %r14\n.cfi_adjust_cfa_offset -8\n"
        "popq %r13\n.cfi_adjust_cfa_offset -8\n"
        "popq %r12\n.cfi_adjust_cfa_offset -8\n"
        "popq %rbx\n.cfi_adjust_cfa_offset -8\n"
        "popq %rbp\n.cfi_adjust_cfa_offset -8\n"
        "retq\n"
        ".cfi_endproc\n"
        ".size stepping_caller,.-stepping_caller\n");

// The functions on the stack, innermost first, up to stepping_caller.
enum { depth = 64 };
uintptr_t functions[depth];
int count;

// Whether the last walk reached stepping_caller, and found its stack pointer and registers there.
int arrived;

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *unused) {
  uintptr_t function = _Unwind_GetRegionStart(context);
  if (count < depth) functions[count++] = function;
  if (function != (uintptr_t)stepping_caller) return _URC_NO_REASON;
  arrived = _Unwind_GetCFA(context) == caller_sp;
  // Numbers of the x86-64 psABI, figure 3.36: rbx, rbp, r12 to r15.
  static const int preserved[] = {3, 6, 12, 13, 14, 15};
  for (int i = 0; i < 6; i++) arrived &= _Unwind_GetGR(context, preserved[i]) == 0x1000u + preserved[i];
  return _URC_NORMAL_STOP;
}

void walk(void) {
  count = arrived = 0;
  _Unwind_Backtrace(visit, 0);
}

// The instructions that were stepped through, by function; and the first from which the walk went wrong.
int steps, steps_in_trampoline, steps_in_stub;
uintptr_t trampoline, wrong_pc;
// Unwind information describes the trampoline in several parts.
static int in_trampoline(uintptr_t function) { return function - trampoline < 512; }
// Whether to stop at the first instruction that belongs neither to stub nor to trampoline, because there, signals are
// going to be blocked, and a trap that is blocked ends the process.
int stop_outside;

static void trap(int number, siginfo_t *info, void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  uintptr_t pc = registers[REG_RIP], function = (uintptr_t)_Unwind_FindEnclosingFunction((void *)(pc + 1));
  if (function == (uintptr_t)stepping_caller) return;
  if (stop_outside && function != (uintptr_t)lazy_target && !in_trampoline(function)) {
    registers[REG_EFL] &= ~0x100;
    return;
  }
  steps++;
  steps_in_trampoline += in_trampoline(function);
  steps_in_stub += function == (uintptr_t)lazy_target;
  walk();
  if (!arrived && !wrong_pc) wrong_pc = pc;
}

// For the resolver: goes on stepping from here.
void resume_steps(void) {
  stop_outside = 0;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTRAP);
  pthread_sigmask(SIG_UNBLOCK, &set, 0);
  __asm__ volatile("pushfq; orq $0x100,(%%rsp); popfq" ::: "memory", "cc");
}

static int run(int (*function)(int), int traps) {
  struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO}, before;
  sigaction(SIGTRAP, &action, &before);
  steps = steps_in_trampoline = steps_in_stub = wrong_pc = 0;
  int result = stepping_caller(function, 41, traps);
  sigaction(SIGTRAP, &before, 0);
  return result;
}

int call_lazy(void) { return run(lazy_target, 0); }
int step_boot(void) {
  stop_outside = 0;
  return run(lazy_target, 1);
}
int step_lazy(void) {
  stop_outside = 1;
  return run(lazy_target, 1);
}
int (*other)(int);
int step_other(void) {
  stop_outside = 0;
  return run(other, 1);
}
