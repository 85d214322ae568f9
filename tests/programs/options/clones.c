// A child made by a system call past the C library, which calls a function of its own.
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static int in_parent(int x) { return x + 1; }
__attribute__((noinline)) static int in_child(int x) { return x + 2; }

int main(void) {
  printf("%d\n", in_parent(41));
  fflush(stdout);
  int child = syscall(SYS_fork), status = 0;
  if (child == 0) exit(in_child(5));
  waitpid(child, &status, 0);
  printf("child %d %d\n", child, WEXITSTATUS(status));
  return 0;
}
